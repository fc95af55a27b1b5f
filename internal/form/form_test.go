package form

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
)

const slotSchema = `{"type":"object","properties":{"intent":{"enum":["Play","Add"]},"slots":{"type":"object","properties":{"artist":{"type":"string"},"album":{"type":"string"}},"additionalProperties":{"type":"string"}}},"required":["intent","slots"]}`

func mustForm(t testing.TB, out rung.Output) *Form {
	t.Helper()
	f, err := New(out)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func slots(t testing.TB) *Form {
	return mustForm(t, rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(slotSchema)})
}

func TestEncodePutsPropertiesIntoTheSchemasOrder(t *testing.T) {
	got, err := slots(t).Encode(json.RawMessage(`{"slots": {"zebra": "z", "album": "A<B", "artist": "é"}, "intent": "Play"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"intent":"Play","slots":{"artist":"é","album":"A<B","zebra":"z"}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestOrderFollowsReferencesAndAlternatives(t *testing.T) {
	schema := `{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}],"$defs":{"a":{"properties":{"x":{},"y":{}}},"b":{"properties":{"q":{},"p":{"items":{"$ref":"#/$defs/a"}}}}}}`
	f := mustForm(t, rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(schema)})
	got, err := f.Encode(json.RawMessage(`{"p":[{"y":1,"x":2}],"q":0}`), nil)
	if err != nil || got != `{"q":0,"p":[{"x":2,"y":1}]}` {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestParseJSON(t *testing.T) {
	good := `{"intent":"Play","slots":{"artist":"Sia"}}`
	for _, c := range []struct {
		name, text string
		problem    rung.Problem
		repaired   bool
	}{
		{"as asked", good, "", false},
		{"other order", `{"slots":{"artist":"Sia"},"intent":"Play"}`, "", false},
		{"fenced", "```json\n" + good + "\n```", "", true},
		{"words around", "Sure! " + good + " Anything else?", "", true},
		{"trailing comma", `{"intent":"Play","slots":{"artist":"Sia",},}`, "", true},
		{"single quotes", `{'intent':'Play','slots':{'artist':'Sia'}}`, "", true},
		{"wrong value", `{"intent":"Stop","slots":{}}`, rung.BreaksSchema, false},
		{"missing", `{"intent":"Play"}`, rung.BreaksSchema, false},
		{"a string", `"Play"`, rung.BreaksSchema, false},
		{"words", "I would play Sia.", rung.NotJSON, false},
		{"nothing", " \n", rung.EmptyAnswer, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			read := slots(t).Parse(c.text, nil)
			if read.Problem != c.problem || read.Repaired != c.repaired {
				t.Fatalf("got problem %q (%s), repaired %v", read.Problem, read.Detail, read.Repaired)
			}
			if c.problem == "" && string(read.Value) != good {
				t.Errorf("value %s", read.Value)
			}
			if c.problem != "" && read.Value != nil {
				t.Errorf("a problem and a value: %s", read.Value)
			}
		})
	}
}

func TestValidatorNamesThePath(t *testing.T) {
	read := slots(t).Parse(`{"intent":"Play","slots":{"artist":3}}`, nil)
	if !strings.Contains(read.Detail, "slots.artist") {
		t.Errorf("detail %q does not name slots.artist", read.Detail)
	}
}

func TestLabels(t *testing.T) {
	f := mustForm(t, rung.Output{Kind: rung.Labels, Labels: []string{"spam", "not spam", "card_arrival", "I am lost", "i am lost"}})
	for text, want := range map[string]string{
		"spam":                          "spam",
		" Spam.\n":                      "spam",
		`"not spam"`:                    "not spam",
		`{"label": "spam"}`:             "spam",
		"Label: Card Arrival":           "card_arrival",
		"This is clearly not spam.":     "not spam",
		"spam\nbecause it is not spam.": "spam",
		"I am lost":                     "I am lost",
		"i am lost":                     "i am lost",
		"spam or not spam":              "",
		"I AM LOST":                     "",
		"ham":                           "",
		"spammer":                       "",
	} {
		read := f.Parse(text, nil)
		got := ""
		if read.Value != nil {
			_ = json.Unmarshal(read.Value, &got)
		}
		if got != want || (want == "") != (read.Problem == rung.UnknownLabel) {
			t.Errorf("%q read as %q (%s), want %q", text, got, read.Problem, want)
		}
	}
}

func TestToolsFromTheInput(t *testing.T) {
	f := mustForm(t, rung.Output{Kind: rung.Tools, ToolsFrom: "functions"})
	input := json.RawMessage(`{"request":"x","functions":[{"name":"area","parameters":{"type":"object","properties":{"base":{"type":"integer"},"height":{"type":"integer"}},"required":["base"]}},{"function":{"name":"noop"}}]}`)
	if err := f.Validate(json.RawMessage(`{"name":"area","arguments":{"height":2,"base":1}}`), input); err != nil {
		t.Error(err)
	}
	if got, _ := f.Encode(json.RawMessage(`{"arguments":{"height":2,"base":1},"name":"area"}`), input); got != `{"name":"area","arguments":{"base":1,"height":2}}` {
		t.Errorf("encoded as %s", got)
	}
	for _, bad := range []string{`{"name":"volume","arguments":{}}`, `{"name":"area","arguments":{"base":"1"}}`, `{"name":"area"}`} {
		if f.Parse(bad, input).Problem != rung.BreaksSchema {
			t.Errorf("%s was accepted", bad)
		}
	}
	if f.Parse(`{"name":"noop","arguments":{}}`, input).Problem != "" {
		t.Error("a tool without parameters was refused")
	}
}

func TestManyCalls(t *testing.T) {
	f := mustForm(t, rung.Output{Kind: rung.Tools, ManyCalls: true, Tools: json.RawMessage(`[{"name":"a"}]`)})
	for text, want := range map[string]rung.Problem{`[]`: "", `[{"name":"a","arguments":{}},{"name":"a","arguments":{}}]`: "", `{"name":"a","arguments":{}}`: rung.BreaksSchema} {
		if got := f.Parse(text, nil).Problem; got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestBadSchemas(t *testing.T) {
	for name, c := range map[string]struct{ schema, says string }{
		"not JSON":           {`{"type":`, "not JSON"},
		"wrong type":         {`{"type":"strin"}`, "not a JSON Schema"},
		"another file":       {`{"$ref":"file:///etc/passwd"}`, "$defs"},
		"another host":       {`{"$ref":"https://example.com/s.json"}`, "$defs"},
		"nested too deeply":  {strings.Repeat(`{"items":`, 500) + "{}" + strings.Repeat("}", 500), "deep"},
		"reference to none":  {`{"$ref":"#/$defs/none"}`, "not a JSON Schema"},
		"regexp that is not": {`{"pattern":"("}`, "not a JSON Schema"},
	} {
		_, err := New(rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(c.schema)})
		if rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is encoded is read back as it was: the promise that training targets and demonstrations rest on.
func TestEncodeParseRoundTrip(t *testing.T) {
	f := slots(t)
	rapid.Check(t, func(t *rapid.T) {
		out := map[string]any{
			"intent": rapid.SampledFrom([]string{"Play", "Add"}).Draw(t, "intent"),
			"slots":  rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "slots"),
		}
		raw, _ := json.Marshal(out)
		text, err := f.Encode(raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		read := f.Parse(text, nil)
		if read.Problem != "" || read.Repaired || string(read.Value) != text {
			t.Fatalf("%s was read as %s, %s %s", text, read.Value, read.Problem, read.Detail)
		}
	})
}

// 64 kB of open brackets took the repairer minutes before nesting was bounded.
func TestHostileNestingIsNotRepaired(t *testing.T) {
	if read := slots(t).Parse(strings.Repeat("[a", 30<<10), nil); read.Problem != rung.NotJSON {
		t.Errorf("got %q", read.Problem)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":1}`, "```json\n{}", `{"a":[1,2`, "{'a':\"", strings.Repeat("[", 300), "\xff{\x00"} {
		f.Add(s)
	}
	jsonForm := slots(f)
	labels := mustForm(f, rung.Output{Kind: rung.Labels, Labels: []string{"a", "b c"}})
	f.Fuzz(func(t *testing.T, s string) {
		for _, form := range []*Form{jsonForm, labels} {
			read := form.Parse(s, nil)
			if (read.Value == nil) == (read.Problem == "") {
				t.Fatalf("%q: value %s with problem %q", s, read.Value, read.Problem)
			}
			if read.Value != nil && !json.Valid(read.Value) {
				t.Fatalf("%q: not JSON: %s", s, read.Value)
			}
		}
	})
}
