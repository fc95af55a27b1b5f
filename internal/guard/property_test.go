package guard

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
)

// pieces are what texts of properties are made of: personal data, placeholders that are none of ours, and what stands between.
var pieces = rapid.OneOf(
	rapid.SampledFrom([]string{"ann@example.com", "4111 1111 1111 1111", "+49 30 1234567", "DE89 3704 0044 0532 0130 00", "Mr. Peter Schmidt", "192.168.1.20",
		"<EMAIL_1>", "<EMAIL_2>", "<PERSON_1>", "<LITERAL_1>", "<LITERAL_2>", "<EMAIL_", "1>", "<", ">", "_1>", "<<EMAIL_1>>", "\u200b", "\"", "\\", "\n", "４１１１", "Paris", "my name is Ann"}),
	rapid.StringMatching(`[a-z0-9 @<>_.,-]{0,8}`),
	rapid.String(),
)

var prose = rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(pieces, 0, 12).Draw(t, "pieces"), "") })

// A model that says back what it was sent gives the caller his own words, whatever they look like.
func TestRedactThenRestoreIsTheOriginal(t *testing.T) {
	set := newSet(t, Env{}, rung.GuardSpec{Kind: "pii", Stages: []rung.GuardStage{rung.GuardInput}, Restore: true})
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		s := set.Session()
		var sent []string
		texts := rapid.SliceOfN(prose, 1, 3).Draw(t, "texts")
		for _, text := range texts {
			hidden, _, err := s.Input(ctx, text)
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, hidden)
		}
		for i, text := range texts {
			if looksJSON(sent[i]) {
				continue // JSON is restored string by string, see the next property
			}
			back, _, err := s.Output(ctx, sent[i])
			if err != nil || back != text {
				t.Fatalf("%q was sent as %q and came back as %q, %v", text, sent[i], back, err)
			}
			if piecewise := inPieces(t, s, sent[i]); piecewise != text {
				t.Fatalf("%q came back in pieces as %q", text, piecewise)
			}
		}
	})
}

// inPieces restores an answer that comes in pieces of any size.
func inPieces(t *rapid.T, s *Session, text string) string {
	r := s.Restorer()
	var b strings.Builder
	for text != "" {
		n := rapid.IntRange(1, len(text)).Draw(t, "piece")
		b.WriteString(r.Write(text[:n]))
		text = text[n:]
	}
	return b.String() + r.Close()
}

func TestRedactThenRestoreOfJSON(t *testing.T) {
	set := newSet(t, Env{}, rung.GuardSpec{Kind: "pii", Stages: []rung.GuardStage{rung.GuardInput}, Restore: true})
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		value := map[string]any{"a": prose.Draw(t, "a"), "b": []any{prose.Draw(t, "b"), 3.5, true, nil}}
		in, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		s := set.Session()
		hidden, _, err := s.InputJSON(ctx, in)
		if err != nil || !json.Valid(hidden) {
			t.Fatalf("%s became %s, %v", in, hidden, err)
		}
		back, _, err := s.Output(ctx, string(hidden))
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal([]byte(back), &got); err != nil {
			t.Fatalf("%s: %v", back, err)
		}
		if err := json.Unmarshal(in, &want); err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if string(a) != string(b) {
			t.Fatalf("%s came back as %s", b, a)
		}
	})
}

// The same value has the same placeholder in a session, another value another one.
func TestPlaceholdersAreStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := newVault()
		seen := map[string]string{}
		for range rapid.IntRange(1, 40).Draw(t, "n") {
			value := rapid.SampledFrom([]string{"a", "b", "c", "a\x00b", ""}).Draw(t, "value")
			kind := rapid.SampledFrom([]string{"EMAIL", "PHONE"}).Draw(t, "kind")
			name := v.hide(kind, value, true)
			if placeholder(name) != len(name) {
				t.Fatalf("%q does not look like a placeholder", name)
			}
			key := kind + value
			if before, ok := seen[key]; ok && before != name {
				t.Fatalf("%s was %s and is %s", key, before, name)
			}
			for k, other := range seen {
				if other == name && k != key {
					t.Fatalf("%s and %s are both %s", k, key, name)
				}
			}
			seen[key] = name
			if v.restore(name) != value {
				t.Fatalf("%s does not give %q back", name, value)
			}
		}
	})
}

func TestASessionHoldsABoundedNumberOfValues(t *testing.T) {
	v := newVault()
	for i := range maxHidden + 100 {
		v.hide("EMAIL", strings.Repeat("x", i%7)+string(rune(i)), true)
	}
	if len(v.names) > maxHidden {
		t.Errorf("%d values are kept", len(v.names))
	}
	if got := v.hide("EMAIL", "one too many", true); got != "<EMAIL>" || v.restore(got) != got {
		t.Errorf("beyond the bound values are hidden without a number: %s", got)
	}
	v = newVault()
	if got := v.hide("PERSON", strings.Repeat("x", maxHiddenBytes+1), true); got != "<PERSON>" || v.size != 0 {
		t.Errorf("%s, %d bytes", got, v.size)
	}
}

// The automaton finds what looking for each phrase by itself finds.
func TestAutomatonFindsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		patterns := rapid.SliceOfNDistinct(rapid.StringMatching(`[ab]{1,4}`), 1, 8, rapid.ID[string]).Draw(t, "patterns")
		text := rapid.StringMatching(`[abc]{0,60}`).Draw(t, "text")
		got := map[[2]int]bool{}
		newAutomaton(patterns).each(text, func(p, end int) { got[[2]int{p, end}] = true })
		want := 0
		for p, pattern := range patterns {
			for i := range text {
				if strings.HasPrefix(text[i:], pattern) {
					want++
					if !got[[2]int{p, i + len(pattern)}] {
						t.Fatalf("%q at %d of %q is not found", pattern, i, text)
					}
				}
			}
		}
		if len(got) != want {
			t.Fatalf("%d found, %d there", len(got), want)
		}
	})
}
