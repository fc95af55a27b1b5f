package task

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
)

// toJSON writes a YAML value as compact JSON with the order of its keys kept: the property order of an inline schema is the
// order in which constrained decoding writes.
func (n *node) toJSON(b *bytes.Buffer) *badNumber {
	switch n.kind {
	case listKind:
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := item.toJSON(b); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	case mappingKind:
		b.WriteByte('{')
		for i, p := range n.pairs {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSONString(b, p.key)
			b.WriteByte(':')
			if err := p.value.toJSON(b); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		return nil
	case numberKind:
		return n.writeNumber(b)
	case boolKind:
		b.WriteString(strings.ToLower(n.text))
		return nil
	case nullKind:
		b.WriteString("null")
		return nil
	}
	writeJSONString(b, n.text)
	return nil
}

// badNumber is a number that JSON does not know, such as .inf.
type badNumber struct {
	text string
	at   pos
}

func (n *node) writeNumber(b *bytes.Buffer) *badNumber {
	if json.Valid([]byte(n.text)) {
		b.WriteString(n.text)
		return nil
	}
	text := strings.ReplaceAll(n.text, "_", "")
	if i, ok := new(big.Int).SetString(text, 0); ok {
		b.WriteString(i.String())
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return &badNumber{n.text, n.at}
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return &badNumber{n.text, n.at}
	}
	b.Write(raw)
	return nil
}

func writeJSONString(b *bytes.Buffer, s string) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always has JSON
	b.Truncate(b.Len() - 1)
}
