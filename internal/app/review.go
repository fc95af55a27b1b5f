package app

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/govern"
	"github.com/rung-dev/rung/internal/registry"
	"github.com/rung-dev/rung/internal/store"
)

// ReviewTemplate are the questions of a risk review, in their order. The Known of each is filled from the release and the store.
var ReviewTemplate = []rung.ReviewSection{
	{Key: "purpose", Title: "Purpose", Ask: "What is it for, and what is it not for?"},
	{Key: "users", Title: "Users", Ask: "Who uses it, who is affected by its answers, and do they know?"},
	{Key: "data", Title: "Data and terms", Ask: "On what basis are the data used, and do the terms allow this use?"},
	{Key: "evaluation", Title: "Evaluation", Ask: "Is what was measured what matters here, and is it enough?"},
	{Key: "failures", Title: "Known failure modes", Ask: "What does it get wrong, and what does a wrong answer cost?"},
	{Key: "attacks", Title: "Attacks", Ask: "Who would attack it, and what was tried (rung attack)?"},
	{Key: "fairness", Title: "Fairness by segment", Ask: "For whom is it worse, and why is that acceptable?"},
	{Key: "personal", Title: "Personal data", Ask: "Which personal data does it see, keep or give away?"},
	{Key: "mitigations", Title: "Mitigations", Ask: "What limits the harm: guards, people who look, limits of use?"},
	{Key: "rollback", Title: "Rollback", Ask: "How is it noticed that it goes wrong, who takes it back, and to what?"},
}

// NewReview is the draft of a release's review, filled with what is known.
func NewReview(ctx context.Context, r *rung.Release, st store.Store, by string) (*rung.Review, error) {
	v := &rung.Review{Task: r.Task, Version: r.Version, Release: r.Digest, State: rung.ReviewDraft, Sections: slices.Clone(ReviewTemplate), By: by, At: time.Now().UTC().Truncate(time.Second)}
	docs, err := evaluationsOf(ctx, r, st)
	if err != nil {
		return nil, err
	}
	o := outcomeOf(r)
	v.Evidence = evidence(r, o, docs)
	known := map[string]string{
		"purpose":     fmt.Sprintf("Task %s: %s", r.Task, r.Candidate.Instructions),
		"data":        strings.Join(append([]string{dataKnown(r)}, unsaidOf(ctx, r, st)...), "\n"),
		"evaluation":  evaluationKnown(v.Evidence),
		"failures":    failuresKnown(o),
		"fairness":    fairnessKnown(docs),
		"mitigations": guardsKnown(r),
		"personal":    cmp.Or(sensitivityKnown(r), "Nobody has said how sensitive the data are."),
		"attacks":     attacksKnown(docs),
		"rollback":    "rung alias " + r.Task + " production VERSION --why … points production at another release within a second; rung rollout takes a release back by itself.",
	}
	for i := range v.Sections {
		v.Sections[i].Known = known[v.Sections[i].Key]
	}
	return v, nil
}

// outcomeOf is the outcome of the rung that the release is of.
func outcomeOf(r *rung.Release) *rung.Outcome {
	digest := r.Candidate.Digest()
	for i := range r.Outcomes {
		if r.Outcomes[i].Candidate == digest {
			return &r.Outcomes[i]
		}
	}
	return nil
}

// maxEvaluations is how many evaluations are looked through for those of a release.
const maxEvaluations = 2000

func evaluationsOf(ctx context.Context, r *rung.Release, st store.Store) ([]rung.Evaluation, error) {
	if st == nil {
		return nil, nil
	}
	all, err := st.Evaluations(ctx, maxEvaluations)
	if err != nil {
		return nil, err
	}
	var out []rung.Evaluation
	for _, e := range all {
		var doc rung.Evaluation
		if e.Task != r.Task || json.Unmarshal(e.Document, &doc) != nil {
			continue
		}
		if doc.Subject.Digest == r.Candidate.Digest() || doc.Subject.Release == r.Name() {
			out = append(out, doc)
		}
	}
	return out, nil
}

func evidence(r *rung.Release, o *rung.Outcome, docs []rung.Evaluation) []rung.Evidence {
	var out []rung.Evidence
	if o != nil {
		out = append(out, rung.Evidence{ID: "climb " + r.Run, Suite: "heldout " + r.Heldout.Digest.Short(), Metric: r.Bar.Metric, Value: o.Metrics[r.Bar.Metric], Verdict: o.Verdict, Digest: rung.DigestOf(o)})
	}
	for i := range docs {
		d := &docs[i]
		out = append(out, rung.Evidence{ID: d.ID, Suite: d.Suite.Name, Metric: d.Metric, Value: d.Scorecard.Metrics[d.Metric], Verdict: d.Verdict, Digest: rung.DigestOf(d)})
	}
	return out
}

// figure is a value with its interval, n and method.
func figure(v rung.Interval) string {
	return fmt.Sprintf("%.3g [%.3g–%.3g] (%.4g %%, n=%d, %s)", v.Value, v.Low, v.High, 100*v.Level, v.N, v.Method)
}

func evaluationKnown(list []rung.Evidence) string {
	var lines []string
	for _, e := range list {
		lines = append(lines, fmt.Sprintf("%s on %s: %s %s, %s", e.ID, e.Suite, e.Metric, figure(e.Value), cmp.Or(string(e.Verdict), "no verdict")))
	}
	return strings.Join(lines, "\n")
}

func dataKnown(r *rung.Release) string {
	var lines []string
	for _, d := range r.Data {
		lines = append(lines, fmt.Sprintf("dataset %s, digest %s: %s", d.Name, d.Digest.Short(), TermsText(&d.Terms)))
	}
	return strings.Join(append(lines, "all of it: "+TermsText(&r.Terms), "base model: "+cmp.Or(r.Base.Licence, "licence not known")), "\n")
}

// TermsText is what terms say, in a line.
func TermsText(t *rung.Terms) string {
	if govern.Empty(t) {
		return "nobody has stated any terms (licence, basis, retention, uses, sensitivity)"
	}
	uses := make([]string, len(t.Uses))
	for i, u := range t.Uses {
		uses[i] = string(u)
	}
	or := func(s string) string { return cmp.Or(s, "not stated") }
	return fmt.Sprintf("licence %s; basis %s; until %s; uses %s; sensitivity %s", or(strings.Join(t.Licence, ", ")), or(t.Consent), or(t.Retention), or(strings.Join(uses, ", ")), or(string(t.Sensitivity)))
}

func failuresKnown(o *rung.Outcome) string {
	if o == nil || o.Scorecard == nil {
		return ""
	}
	var lines []string
	for _, m := range o.Scorecard.Modes {
		if m.Count > 0 {
			lines = append(lines, fmt.Sprintf("%s (%s): %d, %s", m.Mode, m.Status, m.Count, figure(m.Share)))
		}
	}
	for _, m := range o.Scorecard.Mistakes {
		lines = append(lines, fmt.Sprintf("%s: %d of %d", m.Kind, m.Count, o.Scorecard.N))
	}
	return strings.Join(lines, "\n")
}

func fairnessKnown(docs []rung.Evaluation) string {
	var lines []string
	for i := range docs {
		if isAttack(&docs[i]) {
			continue // its segments are kinds of attacks
		}
		for _, s := range docs[i].Segments {
			lines = append(lines, fmt.Sprintf("%s on %s: %s %s", cmp.Or(s.Segment, "no segment"), docs[i].Suite.Name, docs[i].Metric, figure(s.Metrics[docs[i].Metric])))
		}
	}
	return cmp.Or(strings.Join(lines, "\n"), "Nothing was measured by segment (rung eval TASK "+"RELEASE does it where examples name one).")
}

// isAttack reports whether an evaluation is one of rung attack.
func isAttack(d *rung.Evaluation) bool { return strings.Contains(d.Suite.Name, "attack") }

func attacksKnown(docs []rung.Evaluation) string {
	var lines []string
	for i := range docs {
		d := &docs[i]
		if !isAttack(d) {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %s %s", d.ID, d.Metric, figure(d.Scorecard.Metrics[d.Metric])))
		for _, s := range d.Segments {
			lines = append(lines, fmt.Sprintf("%s: %s %s", cmp.Or(s.Segment, "no segment"), d.Metric, figure(s.Metrics[d.Metric])))
		}
	}
	return cmp.Or(strings.Join(lines, "\n"), "No attack on it is in the store (rung attack).")
}

func guardsKnown(r *rung.Release) string {
	var names []string
	for _, g := range r.Guards {
		names = append(names, fmt.Sprintf("%s (%s)", g.Kind, g.Action))
	}
	return cmp.Or(strings.Join(names, ", "), "It has no guards.")
}

func sensitivityKnown(r *rung.Release) string {
	if r.Terms.Sensitivity == "" {
		return ""
	}
	return "The most sensitive row of its data: " + string(r.Terms.Sensitivity) + "."
}

// reviewed are the bytes that a sign-off signs: the review without sign-offs, and who says what when.
func reviewed(v *rung.Review, s *rung.SignOff) []byte {
	bare := *v
	bare.SignOffs, bare.State, bare.Revision, bare.By, bare.At = nil, "", 0, "", time.Time{}
	said := *s
	said.Signature = nil
	return []byte("rung review signature v1\n" + string(rung.DigestOf(&bare)) + "\n" + string(rung.DigestOf(&said)) + "\n")
}

// SignReview adds what a person says. A review is signed when every question is answered; one refusal refuses it.
func SignReview(v *rung.Review, s rung.SignOff, key ed25519.PrivateKey) error {
	if strings.TrimSpace(s.Name) == "" {
		return &rung.Error{Code: rung.CodeUsage, What: "nobody signs without a name", Do: "add --name"}
	}
	if s.Refused && strings.TrimSpace(s.Why) == "" {
		return &rung.Error{Code: rung.CodeUsage, What: "a refusal needs its reason", Do: "add --why"}
	}
	var open []string
	for _, q := range v.Sections {
		if strings.TrimSpace(q.Answer) == "" {
			open = append(open, q.Key)
		}
	}
	if len(open) > 0 && !s.Refused {
		return &rung.Error{Code: rung.CodeInput, Place: v.Task + "@" + v.Version, What: "questions of the review are not answered: " + strings.Join(open, ", "), Do: "answer them with --answer KEY=TEXT"}
	}
	if key != nil {
		public, _ := key.Public().(ed25519.PublicKey) // of an ed25519 key it is one
		s.Key, s.Public = registry.Fingerprint(public), public
		s.Signature = ed25519.Sign(key, reviewed(v, &s))
	}
	v.SignOffs = append(v.SignOffs, s)
	v.State = rung.ReviewSigned
	if slices.ContainsFunc(v.SignOffs, func(s rung.SignOff) bool { return s.Refused }) {
		v.State = rung.ReviewRefused
	}
	return nil
}

// SignatureHolds reports whether a sign-off's signature is of this review by the key that it names.
func SignatureHolds(v *rung.Review, s *rung.SignOff) bool {
	return len(s.Public) == ed25519.PublicKeySize && registry.Fingerprint(s.Public) == s.Key && ed25519.Verify(s.Public, reviewed(v, s), s.Signature)
}
