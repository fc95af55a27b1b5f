package guard

import (
	"fmt"
	"strings"
)

// vault is the memory of a session: value ↔ placeholder. Placeholders look like <EMAIL_1>: a kind and a number. What looks
// like one in a text from outside is hidden behind a placeholder of its own (escape), so that every placeholder in the model's
// context is ours, and restoring gives the outside text as it was.
type vault struct {
	names  map[string]string // kind and value → placeholder
	values map[string]string // placeholder → value, of those that are put back
	counts map[string]int
	size   int
}

// Bounds of one session. Beyond them values are still hidden, but cannot be told apart or put back.
const (
	maxHidden      = 10_000
	maxHiddenBytes = 4 << 20
)

func newVault() vault { return vault{} }

// hide gives the placeholder of a value: the same for the same value within a session.
func (v *vault) hide(kind, value string, restorable bool) string {
	if v.names == nil {
		v.names, v.values, v.counts = map[string]string{}, map[string]string{}, map[string]int{}
	}
	key := kind + "\x00" + value
	name, known := v.names[key]
	if !known {
		if len(v.names) >= maxHidden || v.size+len(value) > maxHiddenBytes {
			return "<" + kind + ">"
		}
		v.counts[kind]++
		v.size += len(value)
		name = fmt.Sprintf("<%s_%d>", kind, v.counts[kind])
		v.names[key] = name
	}
	if restorable {
		v.values[name] = value
	}
	return name
}

// restore puts values back for placeholders, in one pass: what is put back is not looked at again.
func (v *vault) restore(text string) string {
	if len(v.values) == 0 {
		return text
	}
	var b strings.Builder
	at := 0
	for from := 0; ; {
		i := strings.IndexByte(text[from:], '<')
		if i < 0 {
			break
		}
		i += from
		n := placeholder(text[i:])
		if value, ok := v.values[text[i:i+n]]; n > 0 && ok {
			b.WriteString(text[at:i])
			b.WriteString(value)
			at = i + n
		}
		from = i + max(n, 1)
	}
	if at == 0 {
		return text
	}
	b.WriteString(text[at:])
	return b.String()
}

// maxPlaceholder is longer than any placeholder of ours.
const maxPlaceholder = 40

// placeholder is the length of the placeholder at the start of text, 0 when there is none: <, capitals and _, _, digits, >.
func placeholder(text string) int {
	if len(text) < 5 || text[0] != '<' || text[1] < 'A' || text[1] > 'Z' {
		return 0
	}
	digits := 0
	for i := 1; i < len(text) && i < maxPlaceholder; i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			if digits == 0 && text[i-1] != '_' {
				return 0
			}
			digits++
		case c == '>' && digits > 0:
			return i + 1
		case (c >= 'A' && c <= 'Z' || c == '_') && digits == 0:
		default:
			return 0
		}
	}
	return 0
}

// literalKind is the kind of what looks like a placeholder and is none.
const literalKind = "LITERAL"

// escape hides what looks like a placeholder in texts from outside.
func (s *Session) escape(units []unit) {
	for i := range units {
		text := units[i].text
		var b strings.Builder
		at := 0
		for from := 0; ; {
			j := strings.IndexByte(text[from:], '<')
			if j < 0 {
				break
			}
			j += from
			n := placeholder(text[j:])
			if n > 0 {
				b.WriteString(text[at:j])
				b.WriteString(s.vault.hide(literalKind, text[j:j+n], true))
				at = j + n
			}
			from = j + max(n, 1)
		}
		if at > 0 {
			b.WriteString(text[at:])
			units[i].text, units[i].changed = b.String(), true
		}
	}
}

// Restorer puts values back into an answer that comes in pieces. A placeholder may be cut between pieces; at most 40 bytes
// are held back.
type Restorer struct {
	vault *vault
	json  bool
	held  string
}

// Restorer is for an answer of this session that is passed on as it comes. Output guards cannot look at such an answer.
func (s *Session) Restorer() *Restorer { return &Restorer{vault: &s.vault, json: s.set.json} }

// Write takes the next piece and gives what may be passed on.
func (r *Restorer) Write(piece string) string {
	text := r.held + piece
	keep := len(text)
	if i := strings.LastIndexByte(text, '<'); i >= 0 && len(text)-i < maxPlaceholder && strings.IndexByte(text[i:], '>') < 0 {
		keep = i
	}
	r.held = strings.Clone(text[keep:])
	return r.put(text[:keep])
}

// Close gives what is left.
func (r *Restorer) Close() string {
	text := r.held
	r.held = ""
	return r.put(text)
}

func (r *Restorer) put(text string) string {
	if !r.json {
		return r.vault.restore(text)
	}
	quoted := vault{values: map[string]string{}}
	for name, value := range r.vault.values {
		if strings.Contains(text, name) {
			q := quote(value)
			quoted.values[name] = q[1 : len(q)-1]
		}
	}
	return quoted.restore(text)
}
