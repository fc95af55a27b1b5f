package rating

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// Argilla 2 writes a record as {"id", "fields", "metadata", "suggestions", "responses", "vectors", "_server_id"}, where responses holds a
// list of {"value", "user_id"} per question (Record.to_dict). Argilla 1 writes a FeedbackRecord as {"id", "fields", "metadata",
// "responses", "suggestions", "external_id"}, where each response is one user's {"user_id", "values": {question: {"value"}}, "status"}. In
// both, user_id is a UUID, and a record says neither when nor in which part somebody answered: that stands in the metadata.

type argillaRecord struct {
	ID          string                     `json:"id"`
	Fields      map[string]json.RawMessage `json:"fields"`
	Metadata    map[string]json.RawMessage `json:"metadata"`
	Suggestions json.RawMessage            `json:"suggestions"`
	Responses   map[string][]argillaAnswer `json:"responses"`
	Vectors     json.RawMessage            `json:"vectors"`
	ServerID    *string                    `json:"_server_id"`
}

type argillaAnswer struct {
	Value  json.RawMessage `json:"value"`
	UserID string          `json:"user_id"`
}

type argillaV1Record struct {
	Fields      map[string]json.RawMessage `json:"fields"`
	Metadata    map[string]json.RawMessage `json:"metadata"`
	Responses   []argillaV1Response        `json:"responses"`
	Suggestions json.RawMessage            `json:"suggestions"`
	ExternalID  *string                    `json:"external_id"`
}

type argillaV1Response struct {
	UserID *string                   `json:"user_id"`
	Values map[string]argillaV1Value `json:"values"`
	Status string                    `json:"status"`
}

type argillaV1Value struct {
	Value json.RawMessage `json:"value"`
}

// userID is the UUID that stands for a rater: one made of a digest of the name, marked as RFC 9562's version 8.
func userID(rater string, role rung.RatingRole) string {
	sum := sha256.Sum256([]byte("rung rater\x00" + string(role) + "\x00" + rater))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// raw is the JSON of a string, number or list of strings.
func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("rating: no JSON form: " + err.Error())
	}
	return b
}

// argillaMetadata says who is behind the users.
func argillaMetadata(q *rung.RatingQueue, rec *record) map[string]json.RawMessage {
	out := map[string]json.RawMessage{fieldQueue: raw(q.Name), fieldItem: raw(rec.item)}
	var raters []string
	for _, s := range rec.said {
		raters = append(raters, fmt.Sprintf("%s %s %s", userID(s.rater, s.role), s.role, s.rater))
	}
	if len(raters) > 0 {
		out["raters"] = raw(raters)
	}
	return out
}

func argillaFields(rec *record) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for name, text := range rec.fields {
		out[name] = raw(text)
	}
	return out
}

// argillaAnswers are what one person said, question by question. In Argilla a choice is a label and a value a rating.
func argillaAnswers(s *recordSaid) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	if s.Choice != "" {
		out[askPreference] = raw(s.Choice)
	}
	for name, v := range s.Values {
		out[name] = raw(v)
	}
	if s.Comment != "" {
		out[askComment] = raw(s.Comment)
	}
	return out
}

func toArgilla(q *rung.RatingQueue, recs []record) []argillaRecord {
	out := make([]argillaRecord, len(recs))
	for i := range recs {
		rec := &recs[i]
		r := argillaRecord{ID: rec.item, Fields: argillaFields(rec), Metadata: argillaMetadata(q, rec), Suggestions: raw(map[string]any{}), Responses: map[string][]argillaAnswer{}, Vectors: raw(map[string]any{})}
		for k := range rec.said {
			s := &rec.said[k]
			if s.Skipped {
				continue // Argilla 2 keeps the status of a response apart from its values
			}
			for name, v := range argillaAnswers(s) {
				r.Responses[name] = append(r.Responses[name], argillaAnswer{Value: v, UserID: userID(s.rater, s.role)})
			}
		}
		out[i] = r
	}
	return out
}

func toArgillaV1(q *rung.RatingQueue, recs []record) []argillaV1Record {
	out := make([]argillaV1Record, len(recs))
	for i := range recs {
		rec := &recs[i]
		r := argillaV1Record{Fields: argillaFields(rec), Metadata: argillaMetadata(q, rec), Responses: []argillaV1Response{}, Suggestions: raw([]string{}), ExternalID: &rec.item}
		for k := range rec.said {
			s := &rec.said[k]
			id := userID(s.rater, s.role)
			response := argillaV1Response{UserID: &id, Values: map[string]argillaV1Value{}, Status: "submitted"}
			if s.Skipped {
				response.Status = "discarded"
			}
			for name, v := range argillaAnswers(s) {
				response.Values[name] = argillaV1Value{v}
			}
			r.Responses = append(r.Responses, response)
		}
		out[i] = r
	}
	return out
}

// users reads who is behind the users of a record.
func users(metadata map[string]json.RawMessage) map[string]recordSaid {
	var lines []string
	_ = json.Unmarshal(metadata["raters"], &lines) // a file from elsewhere has no such list
	out := map[string]recordSaid{}
	for _, l := range lines {
		if parts := strings.SplitN(l, " ", 3); len(parts) == 3 {
			out[parts[0]] = recordSaid{rater: parts[2], role: rung.RatingRole(parts[1])}
		}
	}
	return out
}

// who is the person behind a user; one whom the file does not name is called by the beginning of the UUID.
func who(known map[string]recordSaid, id string) recordSaid {
	if s, ok := known[id]; ok {
		return s
	}
	if len(id) > 8 {
		id = id[:8]
	}
	return recordSaid{rater: raterName("user-" + id), role: rung.AsRater}
}

func textFields(fields map[string]json.RawMessage) map[string]string {
	out := map[string]string{}
	for name, v := range fields {
		out[name] = TextOf(v)
	}
	return out
}

// hear takes one answer to a question: a text is a choice or a comment, a number a value.
func (s *recordSaid) hear(question string, v json.RawMessage) error {
	var n int
	if json.Unmarshal(v, &n) == nil {
		if s.Values == nil {
			s.Values = map[string]int{}
		}
		s.Values[question] = n
		return nil
	}
	var text string
	if err := json.Unmarshal(v, &text); err != nil {
		return fmt.Errorf("the answer to %s is neither a text nor a whole number", question)
	}
	if word := choiceWord(text); question == askPreference || question != askComment && slices.Contains([]string{choiceLeft, choiceRight, choiceTie}, word) {
		s.Choice = word
		return nil
	}
	s.Comment = strings.TrimSpace(s.Comment + "\n" + text)
	return nil
}

func fromArgilla(rows []json.RawMessage) ([]record, error) {
	out := make([]record, 0, len(rows))
	for i, b := range rows {
		var r argillaRecord
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("record %d is not of Argilla 2's form: %w", i+1, err)
		}
		rec, known, at := record{item: r.ID, fields: textFields(r.Fields)}, users(r.Metadata), map[string]int{}
		for _, question := range slices.Sorted(maps.Keys(r.Responses)) {
			for _, a := range r.Responses[question] {
				if _, seen := at[a.UserID]; !seen {
					at[a.UserID] = len(rec.said)
					rec.said = append(rec.said, who(known, a.UserID))
				}
				if err := rec.said[at[a.UserID]].hear(question, a.Value); err != nil {
					return nil, fmt.Errorf("record %d: %w", i+1, err)
				}
			}
		}
		rec.said = slices.DeleteFunc(rec.said, func(s recordSaid) bool { return s.Choice == "" && len(s.Values) == 0 })
		out = append(out, rec)
	}
	return out, nil
}

func fromArgillaV1(rows []json.RawMessage) ([]record, error) {
	out := make([]record, 0, len(rows))
	for i, b := range rows {
		var r argillaV1Record
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("record %d is not of Argilla 1's form: %w", i+1, err)
		}
		rec, known := record{fields: textFields(r.Fields)}, users(r.Metadata)
		if r.ExternalID != nil {
			rec.item = *r.ExternalID
		}
		for k, response := range r.Responses {
			id := fmt.Sprint(k + 1)
			if response.UserID != nil {
				id = *response.UserID
			}
			s := who(known, id)
			s.Skipped = response.Status == "discarded"
			for _, question := range slices.Sorted(maps.Keys(response.Values)) {
				if err := s.hear(question, response.Values[question].Value); err != nil {
					return nil, fmt.Errorf("record %d: %w", i+1, err)
				}
			}
			if s.Skipped || s.Choice != "" || len(s.Values) > 0 {
				rec.said = append(rec.said, s)
			}
		}
		out = append(out, rec)
	}
	return out, nil
}
