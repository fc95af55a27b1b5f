package govern

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
)

func row(id, person, text string) *rung.DatasetRow {
	b, _ := json.Marshal(map[string]string{"text": text})
	return &rung.DatasetRow{ID: id, Person: person, Input: b, Output: json.RawMessage(`"ok"`)}
}

func TestErasedRowsStayOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), ErasedFile)
	list, err := OpenTombstones(path)
	if err != nil || list.Digest() != "" {
		t.Fatal(err)
	}
	if _, ok := list.Erased(row("a", "p", "x"), "r"); ok {
		t.Error("an empty list erases")
	}
	erased := row("r1", "customer-7", "My name is Zoë Okonkwo.")
	for _, m := range []struct {
		mark  Mark
		value string
	}{{MarkPerson, "customer-7"}, {MarkID, "r1"}, {MarkRaw, "abc"}, {MarkText, RowText(erased)}, {MarkPhrase, "Zoë Okonkwo"}, {MarkPhrase, "zoe@example.org"}, {MarkNumber, "+49 30 901820"}} {
		if !list.Add(m.mark, m.value, "2026-11-22", "asked") {
			t.Errorf("%s %q was not added", m.mark, m.value)
		}
		if list.Add(m.mark, m.value, "2026-11-23", "asked again") {
			t.Errorf("%s %q was added twice", m.mark, m.value)
		}
	}
	for _, useless := range []struct {
		mark  Mark
		value string
	}{{MarkNumber, "1234"}, {MarkPhrase, "a"}, {MarkPhrase, "!!"}, {MarkText, ""}} {
		if list.Add(useless.mark, useless.value, "", "") {
			t.Errorf("%s %q would erase rows of others", useless.mark, useless.value)
		}
	}
	if err := list.Save(path); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"Okonkwo", "okonkwo", "customer-7", "901820", "zoe@"} {
		if bytes.Contains(raw, []byte(secret)) {
			t.Errorf("the list holds %q", secret)
		}
	}
	again, err := OpenTombstones(path)
	if err != nil || again.Digest() != list.Digest() || again.Len() != 7 {
		t.Fatalf("%v, %d marks", err, again.Len())
	}
	for want, r := range map[Mark]*rung.DatasetRow{
		MarkPerson: row("new", "customer-7", "something else"),
		MarkID:     row("r1", "", "changed"),
		MarkText:   row("other", "", "my name is   Zoë Okonkwo"),
		MarkPhrase: row("other", "", "I spoke to ZOË OKONKWO, yesterday."),
		MarkNumber: row("other", "", "call 0049 (30) 901-820 or +49-30-90 18 20!"),
	} {
		if got, ok := again.Erased(r, "zzz"); !ok || got != want {
			t.Errorf("%s: %s, %v", want, got, ok)
		}
	}
	if got, ok := again.Erased(row("x", "", "y"), "abc"); !ok || got != MarkRaw {
		t.Errorf("raw: %s, %v", got, ok)
	}
	if got, ok := again.Erased(row("o", "", "write to <zoe@example.org>."), ""); !ok || got != MarkPhrase {
		t.Errorf("address: %s, %v", got, ok)
	}
	if got, ok := again.Erased(row("o", "customer-77", "Zoë and Okonkwo are not one, 901821"), "ab"); ok {
		t.Errorf("a row of somebody else is erased by %s", got)
	}
}

func TestAListThatIsDamagedIsRefused(t *testing.T) {
	for name, text := range map[string]string{"no salt": `{"mark":"id","digest":"00"}`, "not JSON": "hello\n", "empty line": "\n",
		"long": `{"salt":"` + strings.Repeat("a", 64) + "\"}\n" + strings.Repeat("x", 1<<16)} {
		path := filepath.Join(t.TempDir(), ErasedFile)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenTombstones(path); rung.CodeOf(err) != rung.CodeInput {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	got := Numbers("Tel. +49 (30) 90-1820, 12; then 1234567")
	for _, want := range []string{"4930901820", "901820", "1234567"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
	if slices.Contains(got, "121234567") {
		t.Error("numbers with words between them are one")
	}
}
