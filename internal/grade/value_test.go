package grade

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestCanonicalNumbers(t *testing.T) {
	for _, equal := range [][]string{
		{"0", "-0", "0.0", "-0.00", "0e9", "0E-5"},
		{"1", "1.0", "10e-1", "0.1e1", "1E0", "1e+0"},
		{"-120", "-1.2e2", "-12E1", "-120.000"},
		{"100000000000000000000", "1e20", "0.1e21"},
		{"100000000000000000000000", "1e23"},
		{"1230000000000000000000000", "123e22"},
		{"0.001", "1e-3", "0.10e-2"},
	} {
		for _, text := range equal[1:] {
			if canonicalNumber(text) != canonicalNumber(equal[0]) {
				t.Errorf("%s is %s and %s is %s", text, canonicalNumber(text), equal[0], canonicalNumber(equal[0]))
			}
		}
	}
	for _, pair := range [][2]string{{"1", "-1"}, {"9007199254740993", "9007199254740992"}, {"0.1", "0.10000000000000001"}, {"1e999", "1e998"}} {
		if canonicalNumber(pair[0]) == canonicalNumber(pair[1]) {
			t.Errorf("%s and %s are the same", pair[0], pair[1])
		}
	}
}

func TestDeepAnswersAreRead(t *testing.T) {
	deep := strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000)
	v := readValue([]byte(deep))
	if got := leaves(nil, &v, ""); len(got) != 1 {
		t.Errorf("100,000 lists in each other have %d fields, want one", len(got))
	}
}

// FuzzReadValue: whatever comes, nothing panics; two ways of writing the same JSON read the same.
func FuzzReadValue(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.0,{"b":null}],"a":"é\u0041"}`, `"a\"b"`, `[`, `{"a":`, `-0.0e5`, `"\ud800"`, "\"\xff\"", `{"":{}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v := readValue(raw)
		leaves(nil, &v, "")
		callMistake(&v, &v)
		v.plain()
		if !json.Valid(raw) {
			return
		}
		if v.kind == 0 {
			t.Fatalf("%q is JSON and is not read", raw)
		}
		var spread bytes.Buffer
		if err := json.Indent(&spread, raw, " ", "\t"); err != nil {
			t.Fatal(err)
		}
		again := readValue(spread.Bytes())
		if v.canonical() != again.canonical() {
			t.Fatalf("%q reads as %s, indented as %s", raw, v.canonical(), again.canonical())
		}
	})
}
