package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// unit is a part of a text that is looked at by itself: the whole of a plain text, or a string of a JSON text.
type unit struct {
	text       string
	start, end int  // of a JSON token, in the JSON text
	quoted     bool // it comes from a JSON text
	name       bool // it is the name of a member
	changed    bool
}

// looksJSON reports whether a text is a JSON object or list.
func looksJSON(text string) bool {
	t := strings.TrimLeft(text, " \t\r\n")
	return t != "" && (t[0] == '{' || t[0] == '[') && json.Valid([]byte(text))
}

// longNumber is the number of digits from which a JSON number is looked at: it may be a card or an account.
const longNumber = 9

// parseUnits gives the strings and long numbers of a JSON text.
func parseUnits(text string) ([]unit, error) {
	if !json.Valid([]byte(text)) {
		return nil, errors.New("it cannot be parsed")
	}
	var out []unit
	for i := 0; i < len(text); {
		end := i + 1
		switch c := text[i]; {
		case c == '"':
			end = stringEnd(text, i)
			u := unit{start: i, end: end, quoted: true, name: isName(text[end:])}
			if err := json.Unmarshal([]byte(text[i:end]), &u.text); err != nil {
				return nil, err
			}
			out = append(out, u)
		case c == '-' || c >= '0' && c <= '9':
			for end < len(text) && strings.IndexByte("0123456789.eE+-", text[end]) >= 0 {
				end++
			}
			if end-i >= longNumber {
				out = append(out, unit{text: text[i:end], start: i, end: end, quoted: true})
			}
		}
		i = end
	}
	return out, nil
}

// stringEnd is the offset after the string of a valid JSON text that starts at i.
func stringEnd(text string, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func isName(rest string) bool { return strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), ":") }

// joinUnits writes a JSON text with the units that have changed.
func joinUnits(text string, units []unit) string {
	var b strings.Builder
	at := 0
	for _, u := range units {
		if u.changed {
			b.WriteString(text[at:u.start])
			b.WriteString(quote(u.text))
			at = u.end
		}
	}
	b.WriteString(text[at:])
	return b.String()
}

// quote is a JSON string.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always has JSON
	return strings.TrimSuffix(b.String(), "\n")
}

// restoreJSON puts values back into the strings of a JSON text.
func (s *Session) restoreJSON(text string) string {
	if len(s.vault.values) == 0 {
		return text
	}
	units, err := parseUnits(text)
	if err != nil {
		return text
	}
	for i := range units {
		if back := s.vault.restore(units[i].text); back != units[i].text {
			units[i].text, units[i].changed = back, true
		}
	}
	return joinUnits(text, units)
}
