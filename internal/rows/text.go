package rows

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/records"
)

// Member is one key of a row with its JSON value.
type Member struct{ Key, Value []byte }

// Extractor takes rows apart. It reuses its memory and is not safe for concurrent use.
type Extractor struct {
	buf     bytes.Buffer
	dec     *jsontext.Decoder
	members []Member
}

var errNotObject = errors.New("the row is not a JSON object")

// Members splits a JSON object; the result is valid until the next call and points into raw. The whole row is checked to be JSON.
func (x *Extractor) Members(raw []byte) ([]Member, error) {
	x.buf = *bytes.NewBuffer(raw)
	if x.dec == nil {
		x.dec = jsontext.NewDecoder(&x.buf)
	} else {
		x.dec.Reset(&x.buf)
	}
	x.members = x.members[:0]
	if x.dec.PeekKind() != '{' {
		if _, err := x.dec.ReadValue(); err != nil {
			return nil, err
		}
		return nil, errNotObject
	}
	if _, err := x.dec.ReadToken(); err != nil {
		return nil, err
	}
	for x.dec.PeekKind() != '}' {
		key, err := x.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		end := x.dec.InputOffset()
		name := raw[end-int64(len(key))+1 : end-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			if name, err = jsontext.AppendUnquote(nil, key); err != nil {
				return nil, err
			}
		}
		value, err := x.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		end = x.dec.InputOffset()
		x.members = append(x.members, Member{name, raw[end-int64(len(value)) : end]})
	}
	if _, err := x.dec.ReadToken(); err != nil {
		return nil, err
	}
	switch _, err := x.dec.ReadToken(); {
	case errors.Is(err, io.EOF):
		return x.members, nil
	case err == nil:
		return nil, errors.New("something follows the object")
	default:
		return nil, err
	}
}

// Reason puts the error of a broken row into words, without the bytes of the row.
func Reason(err error) string { return records.Reason(err) }

// Fields are the keys whose text is compared. A name with dots goes into objects: input.question.
type Fields []string

// Append appends the text of the fields of a row, a line feed after each: texts as they are, of lists and objects all their texts. ok is
// false when the row has none of them.
func (f Fields) Append(dst []byte, members []Member) (out []byte, ok bool) {
	before := len(dst)
	for _, name := range f {
		if v := find(members, name); v != nil {
			start := len(dst)
			dst = appendText(dst, v)
			ok = ok || len(dst) > start
			dst = append(dst, '\n')
		}
	}
	if !ok {
		return dst[:before], false
	}
	return dst[:len(dst)-1], true
}

// Get is the JSON value of a field, nil when the row has it not.
func Get(members []Member, name string) []byte { return find(members, name) }

func find(members []Member, name string) []byte {
	for i := range members {
		if string(members[i].Key) == name {
			return members[i].Value
		}
	}
	head, rest, nested := strings.Cut(name, ".")
	if !nested {
		return nil
	}
	for i := range members {
		if string(members[i].Key) == head && members[i].Value[0] == '{' {
			var x Extractor
			if inner, err := x.Members(members[i].Value); err == nil {
				return find(inner, rest)
			}
		}
	}
	return nil
}

// appendText appends the text of a JSON value that is known to be valid.
func appendText(dst, value []byte) []byte {
	switch value[0] {
	case '"':
		return appendString(dst, value)
	case '{', '[':
		return appendNested(dst, value)
	case 'n':
		return dst
	}
	return append(dst, value...)
}

func appendString(dst, quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return append(dst, quoted[1:len(quoted)-1]...)
	}
	n := len(dst)
	out, err := jsontext.AppendUnquote(dst, quoted)
	if err != nil {
		return append(out[:n], quoted[1:len(quoted)-1]...)
	}
	return out
}

// appendNested appends the texts and numbers inside a list or object, one a line, without its keys, and without the roles of chat turns.
func appendNested(dst, value []byte) []byte {
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c == '-' || c >= '0' && c <= '9' {
			start := i
			for i < len(value) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(value[i])) {
				i++
			}
			dst = append(append(dst, value[start:i]...), '\n')
			i--
			continue
		}
		if c != '"' {
			continue
		}
		end := stringEnd(value, i)
		after := end
		for after < len(value) && (value[after] == ' ' || value[after] == '\t' || value[after] == '\r' || value[after] == '\n') {
			after++
		}
		if after < len(value) && value[after] == ':' {
			if key := string(value[i:end]); key == `"role"` || key == `"from"` {
				if next := bytes.IndexByte(value[after:], '"'); next >= 0 {
					end = stringEnd(value, after+next)
				}
			}
		} else {
			dst = append(appendString(dst, value[i:end]), '\n')
		}
		i = end - 1
	}
	return dst
}

// stringEnd is the offset after the string that starts at i.
func stringEnd(value []byte, i int) int {
	for i++; i < len(value) && value[i] != '"'; i++ {
		if value[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(value))
}

// usual are the keys that hold what is asked, by the formats that have them; the first that all rows looked at have are taken.
var usual = []Fields{{"input", "instruction"}, {"input"}, {"messages"}, {"conversations"}, {"prompt"}, {"question"}, {"instruction"}, {"text"}, {"utterance"}, {"content"}, {"sentence"}, {"document"}}

// lookedAt is how many rows Choose reads.
const lookedAt = 1000

// Choose finds the keys that hold what is asked, in the first rows of a set. A row that cannot be read says nothing.
func Choose(ctx context.Context, s *Set) (Fields, error) {
	has := map[string]int{}
	var order []string
	n := 0
	done := errors.New("enough")
	var x Extractor
	err := s.blocks(ctx, func(b *Block) error {
		return b.Each(func(r Row) error {
			members, err := x.Members(r.Raw)
			if err != nil {
				return nil //nolint:nilerr // broken rows are reported when they are read in earnest
			}
			for _, m := range members {
				key := string(m.Key)
				if has[key]++; has[key] == 1 && len(order) < 100 {
					order = append(order, key)
				}
			}
			if n++; n == lookedAt {
				return done
			}
			return nil
		})
	})
	if err != nil && !errors.Is(err, done) {
		return nil, err
	}
	for _, fields := range usual {
		if n > 0 && !slices.ContainsFunc(fields, func(name string) bool { return has[name] < n }) {
			return fields, nil
		}
	}
	names := "no row can be read"
	if len(order) > 0 {
		names = "the rows have " + strings.Join(order, ", ")
	}
	place := ""
	if len(s.Files) > 0 {
		place = s.Files[0].Name
	}
	return nil, &rung.Error{Code: rung.CodeUsage, Place: place, What: "none of the usual keys (input, messages, prompt, question, instruction, text, …) is in all rows; " + names, Do: "say with --field which text is compared"}
}
