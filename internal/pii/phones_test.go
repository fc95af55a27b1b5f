package pii

import (
	"os"
	"strings"
	"testing"
)

// TestPhonePlans holds 800 real, changed and cut numbers of all countries to what libphonenumber says of them: testdata/phones.tsv has
// region (none: calling code first), digits, and 1 for a valid number, by the package phonenumbers 9.0.43.
func TestPhonePlans(t *testing.T) {
	b, err := os.ReadFile("testdata/phones.tsv")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		region, rest, _ := strings.Cut(strings.TrimSpace("x"+line), "\t")
		digits, want, _ := strings.Cut(rest, "\t")
		got := phonePlans().international(digits)
		if region != "x" {
			got = phonePlans().within(region[1:], digits)
		}
		if n++; got != (want == "1") {
			t.Errorf("%q: valid is %t", line, got)
		}
	}
	if n != 800 {
		t.Errorf("%d numbers", n)
	}
	for region, p := range phonePlans().byRegion {
		if p.compiled(); p.any == nil {
			t.Error(region, "has no pattern")
		}
	}
}

func TestPhones(t *testing.T) {
	for _, c := range []struct{ text, want, rule, regions string }{
		{"ring +31-20-566-5633 today", "+31-20-566-5633", "assigned", ""},
		{"from 0031 20 5665633", "0031 20 5665633", "assigned", ""},
		{"my line is 91 512 34 56", "91 512 34 56", "assigned", "ES"},
		{"my line is 91 512 34 56", "", "", "US"},
		{"at 0612345678 from noon", "0612345678", "assigned", "FR"},
		{"at 612345678 from noon", "", "", "FR"}, // any nine digits
		{"it is +1 999 999 9999", "+1 999 999 9999", "formed", ""},
		{"between 1914-1918-1939", "", "", "US"},
		{"an F1 of 0.842105263", "", "", ""},
		{"paid 960-480-120=360", "", "", "US"},
		{"doi 10.1016/j.jacr.2020.03.011", "", "", ""},
	} {
		o := Options{Types: []Type{Phone}, Regions: strings.Fields(c.regions)}
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		e.model = false // what has a form
		got, rule := "", ""
		for _, f := range e.Find(c.text) {
			got, rule = c.text[f.Start:f.End], f.Rule
		}
		if got != c.want || rule != c.rule {
			t.Errorf("%q in %q: found %q by %q, want %q by %q", c.text, c.regions, got, rule, c.want, c.rule)
		}
	}
	if _, err := New(Options{Regions: []string{"XX"}}); err == nil {
		t.Error("XX is a region")
	}
}
