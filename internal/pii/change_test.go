package pii_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/pii"
)

var key = bytes.Repeat([]byte("k3y!"), 8)

func pseudonyms(t *testing.T, user []byte) *pii.Pseudonyms {
	t.Helper()
	p, err := pii.NewPseudonyms(user)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestStandInsKeepTheForm: a stand-in is found again as what it stands for, is another value, and passes the same checks.
func TestStandInsKeepTheForm(t *testing.T) {
	e, p := engine(t, pii.Options{}), pseudonyms(t, key)
	row := []byte(`{"text":"mail ann@corp.example, card 4111-1111-1111-1111, IBAN GB82 WEST 1234 5698 7654 32, from 192.168.1.20, call +49 30 1234567, see https://corp.example/ann"}`)
	out, found, err := e.Row(row, nil, p.For)
	if err != nil {
		t.Fatal(err)
	}
	again, second, err := e.Row(out, nil, nil)
	if err != nil || !bytes.Equal(again, out) {
		t.Fatal(err)
	}
	types := func(in []pii.In) (out []string) {
		for _, f := range in {
			out = append(out, f.Type)
		}
		return out
	}
	if diff := cmp.Diff(types(found), types(second)); diff != "" {
		t.Errorf("%s: %s", out, diff)
	}
	for i := range min(len(found), len(second)) {
		if found[i].Value() == second[i].Value() {
			t.Errorf("%s stayed %q", found[i].Type, found[i].Value())
		}
	}
	if len(found) != 6 {
		t.Errorf("%v", types(found))
	}
}

// TestStandInsAreConsistent: under one key a value has one stand-in, wherever and in whatever words of a name it stands; under
// another it has another.
func TestStandInsAreConsistent(t *testing.T) {
	e := engine(t, pii.Options{Types: []pii.Type{pii.Person, pii.Card}})
	change := func(user []byte, text string) string {
		raw, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := e.Row(raw, nil, pseudonyms(t, user).For)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	a := change(key, "My name is Anna Kowalska and my card is 4111 1111 1111 1111.")
	if a != change(key, "My name is Anna Kowalska and my card is 4111 1111 1111 1111.") {
		t.Error("the same text changes in two ways")
	}
	if a == change(bytes.Repeat([]byte("other"), 8), "My name is Anna Kowalska and my card is 4111 1111 1111 1111.") {
		t.Error("another key gives the same stand-ins")
	}
	b := change(key, "Dear Mrs. Kowalska, your card 4111111111111111 is here.")
	family := strings.Fields(a)[4]
	if !strings.Contains(b, " "+family+",") {
		t.Errorf("%s and %s are no longer one person", a, b)
	}
	digits := strings.ReplaceAll(strings.TrimSuffix(a[strings.Index(a, "is 4")+3:], `."`), " ", "")
	if !strings.Contains(b, digits) {
		t.Errorf("%s and %s are no longer one card", a, b)
	}
	if _, err := pii.NewPseudonyms([]byte("short")); rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("a short key: %v", err)
	}
}

func TestDatesMoveTogether(t *testing.T) {
	e, p := engine(t, pii.Options{Types: []pii.Type{pii.Date}}), pseudonyms(t, key)
	out, _, err := e.Row([]byte(`["from 2021-05-03 on","until 2021-05-10 at least"]`), nil, p.For)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	if err := json.Unmarshal(out, &texts); err != nil {
		t.Fatal(err)
	}
	from, until := strings.Fields(texts[0])[1], strings.Fields(texts[1])[1]
	if from == "2021-05-03" || !(from < until) {
		t.Errorf("%v", texts)
	}
}

func TestRowsKeepWhatIsNotFound(t *testing.T) {
	e := engine(t, pii.Options{Types: []pii.Type{pii.Email}})
	for in, want := range map[string]string{
		`{ "a@b.co" : "a@b.co", "n": 1.50, "l": ["x", "c@d.org"] }`: `{ "a@b.co" : "<EMAIL>", "n": 1.50, "l": ["x", "<EMAIL>"] }`,
		`{"t":"\u0061@b.co \u2028 é"}`:                              "{\"t\":\"<EMAIL> \u2028 é\"}",
		`{"t":"nothing \u00e9"}`:                                    `{"t":"nothing \u00e9"}`,
		`"a@b.co"`:                                                  `"<EMAIL>"`,
	} {
		out, _, err := e.Row([]byte(in), nil, pii.Placeholder)
		if err != nil || string(out) != want {
			t.Errorf("%s: %s, not %s (%v)", in, out, want, err)
		}
	}
	out, _, err := e.Row([]byte(`{"a":{"b":"a@b.co"},"ab":"a@b.co"}`), []string{pii.Pointer("a.b")}, pii.Placeholder)
	if err != nil || string(out) != `{"a":{"b":"<EMAIL>"},"ab":"a@b.co"}` {
		t.Errorf("one field: %s, %v", out, err)
	}
	if _, _, err := e.Row([]byte(`{"a":`), nil, nil); err == nil {
		t.Error("half a row is no row")
	}
}

func TestVaultGivesBack(t *testing.T) {
	var file bytes.Buffer
	w, err := pii.NewVault(&file, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]string{{"now 1", "was 1"}, {"now 2", "was 2"}, {"now 1", "was 1 too"}} {
		if err := w.Put([]byte(r[0]), []byte(r[1])); err != nil {
			t.Fatal(err)
		}
	}
	cut := bytes.Clone(file.Bytes())
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	if bytes.Contains(whole, []byte("was")) {
		t.Error("the vault can be read without the key")
	}
	v, err := pii.OpenVault(bytes.NewReader(whole), key)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range [][2]string{{"now 2", "was 2"}, {"now 1", "was 1"}, {"now 1", "was 1 too"}, {"now 1", ""}} {
		if was, _ := v.Take([]byte(want[0])); string(was) != want[1] {
			t.Errorf("%s: %q, not %q", want[0], was, want[1])
		}
	}
	broken := bytes.Clone(whole)
	broken[len(broken)/2] ^= 1
	for name, bad := range map[string][]byte{"cut": cut, "changed": broken, "empty": nil} {
		if _, err := pii.OpenVault(bytes.NewReader(bad), key); rung.CodeOf(err) != rung.CodeInput {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := pii.OpenVault(bytes.NewReader(whole), bytes.Repeat([]byte("x"), 32)); rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("another key: %v", err)
	}
}
