package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// What a schema may be at most. Converters recurse, and a server that dies takes other requests with it for a while.
const (
	maxSchema      = 1 << 20
	maxSchemaDepth = 100
	maxChoices     = 1 << 20 // bytes in all
)

// constraint checks what a request asks its answer to be held to, and gives the grammar for its choices, or "".
func constraint(req model.Request) (string, error) {
	if len(req.Schema) > 0 {
		if len(req.Choices) > 0 {
			return "", &rung.Error{Code: rung.CodeInternal, Place: string(req.Model), What: "a request has both a schema and choices"}
		}
		return "", checkSize(req.Model, req.Schema)
	}
	if len(req.Choices) == 0 {
		return "", nil
	}
	return choicesGrammar(req.Model, req.Choices)
}

func checkSize(ref rung.ModelRef, schema json.RawMessage) error {
	if len(schema) > maxSchema {
		return unsupportedSchema(ref, fmt.Sprintf("it has %d bytes, more than %d", len(schema), maxSchema), nil)
	}
	if !json.Valid(schema) {
		return unsupportedSchema(ref, "it is not JSON", nil)
	}
	depth, deepest, quoted, escaped := 0, 0, false, false
	for _, c := range schema {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	if deepest > maxSchemaDepth {
		return unsupportedSchema(ref, fmt.Sprintf("it is nested %d deep, more than %d", deepest, maxSchemaDepth), nil)
	}
	return nil
}

func unsupportedSchema(ref rung.ModelRef, message string, cause error) error {
	return &rung.Error{Code: rung.CodeUnsupported, Place: string(ref), What: "the local engine cannot hold answers to this schema: " + model.Clean(message),
		Do: "simplify the schema, or leave constrained decoding out", Err: cause}
}

// choicesGrammar is a GBNF grammar of literal alternatives. One that is the beginning of another is fine: after it the model
// may end or go on.
func choicesGrammar(ref rung.ModelRef, choices []string) (string, error) {
	var b strings.Builder
	b.WriteString("root ::= ")
	for i, c := range choices {
		if !utf8.ValidString(c) || strings.ContainsRune(c, 0) {
			return "", &rung.Error{Code: rung.CodeUnsupported, Place: string(ref), What: fmt.Sprintf("the choice %q is not text", c), Do: "use labels in UTF-8"}
		}
		if i > 0 {
			b.WriteString(" | ")
		}
		writeLiteral(&b, c)
		if b.Len() > maxChoices {
			return "", &rung.Error{Code: rung.CodeUnsupported, Place: string(ref), What: "the choices are longer than 1 MiB together", Do: "use fewer or shorter labels"}
		}
	}
	return b.String(), nil
}

// writeLiteral quotes s for GBNF, which knows \" \\ \n \r \t and \xHH for one byte-sized code point.
func writeLiteral(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(b, `\x%02X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// onlyOneSpace tells the wheel's JSON grammar (llguidance) to allow at most one blank between tokens, as llama.cpp's own
// does nearly: a small model may otherwise write line breaks until its tokens are used up. Others ignore the key.
func onlyOneSpace(schema json.RawMessage) json.RawMessage {
	s := bytes.TrimSpace(schema)
	if len(s) < 2 || s[0] != '{' || bytes.Contains(s, []byte(`"x-guidance"`)) {
		return schema
	}
	const hint = `{"x-guidance":{"whitespace_flexible":true,"whitespace_pattern":"[ ]?"}`
	rest := bytes.TrimSpace(s[1:])
	if rest[0] != '}' {
		return append([]byte(hint+","), rest...)
	}
	return append([]byte(hint), rest...)
}

// checkSchema makes sure, once per schema, that the server really holds answers to it. The wheel's server reports a schema
// that it cannot compile in its log alone, and then answers freely. So the schema is tried on one token, followed by a
// request with a wrong key; the log is in order, and when it shows the wrong key, it would have shown the complaint.
func (m *local) checkSchema(ctx context.Context, p *process, schema json.RawMessage, slot int) error {
	if len(schema) == 0 || m.fleet.backend().checksSchemas() {
		return nil
	}
	key := rung.DigestBytes(schema)
	if known, err := m.knownSchema(key); known {
		return err
	}
	m.probing.Lock()
	defer m.probing.Unlock()
	if known, err := m.knownSchema(key); known {
		return err
	}
	_, before, _ := p.log.since(0)
	err := p.client.post(ctx, "/completion", completion{Prompt: []int{0}, Predict: 1, Slot: slot, Samplers: []string{"top_k"}, TopK: 1, Schema: onlyOneSpace(schema)}, nil)
	if err != nil {
		return err
	}
	complaint := p.complaintSince(ctx, before)
	var verdict error
	if complaint != "" {
		verdict = unsupportedSchema(m.ref, complaint, nil)
	}
	m.mu.Lock()
	m.schemas[key] = verdict
	m.mu.Unlock()
	return verdict
}

func (m *local) knownSchema(key rung.Digest) (known bool, verdict error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	verdict, known = m.schemas[key]
	return known, verdict
}

// complaintSince reads the log from line number before to the mark of a request with a wrong key.
func (p *process) complaintSince(ctx context.Context, before int) string {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	stranger := &client{base: p.client.base, key: "wrong", http: p.client.http}
	_ = stranger.get(ctx, "/props", nil) // it is refused; that is the point
	for {
		lines, _, more := p.log.since(before)
		for _, line := range lines {
			if _, what, ok := strings.Cut(line, "llg error: "); ok {
				return what
			}
			if strings.Contains(line, "Invalid API Key") {
				return ""
			}
		}
		select {
		case <-more:
		case <-p.exited:
			return ""
		case <-ctx.Done():
			return ""
		}
	}
}
