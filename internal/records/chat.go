package records

import (
	"encoding/json"
	"strings"
)

// ChatText is the content of a turn of a chat as text: null and nothing are "", a JSON string is itself, and a list of parts is its text parts
// one after another. It is not ok where a part is no text (an image, a sound) or the content is something else.
func ChatText(content json.RawMessage) (text string, ok bool) {
	if len(content) == 0 || string(content) == "null" {
		return "", true
	}
	if json.Unmarshal(content, &text) == nil {
		return text, true
	}
	var parts []struct{ Type, Text string }
	if json.Unmarshal(content, &parts) != nil {
		return "", false
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			return "", false
		}
		b.WriteString(p.Text)
	}
	return b.String(), true
}
