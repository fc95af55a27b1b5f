package engine

import (
	"encoding/json"
	"testing"

	"github.com/rung-dev/rung"
)

func TestChoicesGrammar(t *testing.T) {
	got, err := choicesGrammar("local/x", []string{"yes", `a "b" \c`, "l\nm\x01", "é"})
	want := `root ::= "yes" | "a \"b\" \\c" | "l\nm\x01" | "é"`
	if err != nil || got != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

func TestOnlyOneSpaceKeepsTheSchema(t *testing.T) {
	for _, schema := range []string{`{}`, ` { } `, `{"type":"object","properties":{"b":{},"a":{}}}`, `true`, `{"x-guidance":{}}`} {
		out := onlyOneSpace(json.RawMessage(schema))
		var before, after any
		if json.Unmarshal([]byte(schema), &before) != nil || json.Unmarshal(out, &after) != nil {
			t.Fatalf("%s became %s", schema, out)
		}
		m, isObject := after.(map[string]any)
		if !isObject {
			continue
		}
		if _, has := m["x-guidance"]; !has {
			t.Errorf("%s has no hint", out)
		}
		if len(m) != len(before.(map[string]any))+1 && schema != `{"x-guidance":{}}` {
			t.Errorf("%s became %s", schema, out)
		}
	}
}

func TestSchemaSize(t *testing.T) {
	nested := func(n int) json.RawMessage {
		b := []byte{}
		for range n {
			b = append(b, `{"items":`...)
		}
		b = append(b, `{"const":"[[[[{{{{\""}`...)
		for range n {
			b = append(b, '}')
		}
		return b
	}
	if err := checkSize("local/x", nested(50)); err != nil {
		t.Error(err)
	}
	if err := checkSize("local/x", nested(200)); rung.CodeOf(err) != rung.CodeUnsupported {
		t.Errorf("got %v", err)
	}
}
