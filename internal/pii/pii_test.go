package pii_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/pii"
)

func engine(t testing.TB, o pii.Options) *pii.Engine {
	t.Helper()
	e, err := pii.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// shown writes findings as TYPE=text, or RULE=text where a rule is said.
func shown(text string, findings []pii.Finding) []string {
	out := []string{}
	for _, f := range findings {
		name := f.Type
		if f.Type == pii.NationalID {
			name = f.Rule
		}
		out = append(out, name+"="+text[f.Start:f.End])
	}
	return out
}

// The numbers are those that their issuers or textbooks publish as examples.
func TestNationalNumbers(t *testing.T) {
	e := engine(t, pii.Options{Types: []pii.Type{pii.NationalID, pii.SSN}})
	for text, want := range map[string]string{
		"numéro 2 55 08 14 168 025 38":    "FR_NIR=2 55 08 14 168 025 38",
		"身份证 11010519491231002X":          "CN_ID=11010519491231002X",
		"AHV 756.9217.0769.85":            "CH_AHV=756.9217.0769.85",
		"CPF 390.533.447-05":              "BR_CPF=390.533.447-05",
		"rijksregister 85.07.30-033.28":   "BE_NN=85.07.30-033.28",
		"IdNr. 36 574 261 809":            "DE_STEUER_ID=36 574 261 809",
		"fødselsnummer 15108695088":       "NO_FNR=15108695088",
		"PESEL: 44051401359":              "PL_PESEL=44051401359",
		"TC kimlik no 17291716060":        "TR_TCKN=17291716060",
		"isikukood 36805280109":           "EE_LT_ID=36805280109",
		"CNP 1630615123457":               "RO_CNP=1630615123457",
		"Aadhaar 2341 2341 2346":          "IN_AADHAAR=2341 2341 2346",
		"personnummer 880320-0016":        "SE_PNR=880320-0016",
		"CPR 211062-5629":                 "DK_CPR=211062-5629",
		"rodné číslo 710319/2745":         "CZ_SK_RC=710319/2745",
		"EGN 7523169263":                  "BG_EGN=7523169263",
		"NHS number 943 476 5870":         "GB_NHS=943 476 5870",
		"BSN 111222333":                   "NL_BSN=111222333",
		"NIF 501964843":                   "PT_NIF=501964843",
		"TFN 123456782":                   "AU_TFN=123456782",
		"DNI 54362315K":                   "ES_DNI=54362315K",
		"NIE X2482300W":                   "ES_NIE=X2482300W",
		"codice fiscale RCCMNL83S18D969H": "IT_CF=RCCMNL83S18D969H",
		"hetu 131052-308T":                "FI_HETU=131052-308T",
		"NI number AB 12 34 56 C":         "GB_NINO=AB 12 34 56 C",
		"S1234567D is an NRIC":            "SG_NRIC=S1234567D",
		"RUT 12.531.909-2":                "CL_RUT=12.531.909-2",
		"my SSN is 078-05-1120":           "US_SSN=078-05-1120",
	} {
		if diff := cmp.Diff([]string{want}, shown(text, e.Find(text))); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
		if wrong := spoilt(want[strings.IndexByte(want, '=')+1:]); !strings.Contains(want, "SSN") && !strings.Contains(want, "NINO") && !strings.Contains(want, "CPR") {
			bad := strings.Replace(text, want[strings.IndexByte(want, '=')+1:], wrong, 1)
			if got := e.Find(bad); len(got) != 0 {
				t.Errorf("%q has a wrong check and is found: %v", bad, shown(bad, got))
			}
		}
	}
	for _, text := range []string{"order 11222333 of 111222333", "invoice 44051401359", "ref 123456782"} {
		if got := e.Find(text); len(got) != 0 {
			t.Errorf("%q: %v is found although nothing says what it is", text, shown(text, got))
		}
	}
}

// spoilt changes a digit in the middle, which every check notices.
func spoilt(number string) string {
	b := []byte(number)
	for i := len(b) / 2; i >= 0; i-- {
		if b[i] >= '0' && b[i] <= '9' {
			b[i] = '0' + (b[i]-'0'+1)%10
			break
		}
	}
	return string(b)
}

func TestNamesPlacesOrganisations(t *testing.T) {
	e := engine(t, pii.Options{})
	for text, want := range map[string][]string{
		"My name is Anna Kowalska and I live in Kraków.": {"PERSON=Anna Kowalska", "LOCATION=Kraków"},
		"Dr. Meyer is a German citizen aged 54.":         {"TITLE=Dr.", "PERSON=Meyer", "NATIONALITY=German", "AGE=54"},
		"sunny":                                          {},
		"How many calories are in two slices of bread?":  {},
	} {
		if diff := cmp.Diff(want, shown(text, e.Find(text))); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestPatternsOfTheUser(t *testing.T) {
	e := engine(t, pii.Options{Types: []pii.Type{pii.Email}, Patterns: []pii.Pattern{
		{Type: "CUSTOMER", Expr: `\bC-(\d{6})\b`}, {Type: "MEMBER", Expr: `\d{8}`, Near: []string{"member"}, Check: "luhn"},
	}})
	text := "C-123456, member 12345674, member 12345675, a@b.co; the price of this is more than you think, 12345674"
	if diff := cmp.Diff([]string{"CUSTOMER=123456", "MEMBER=12345674", "EMAIL=a@b.co"}, shown(text, e.Find(text))); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []pii.Pattern{{Type: "X", Expr: "a"}, {Type: "ABC", Expr: "("}, {Type: "ABC", Expr: "a*"}, {Type: "ABC", Expr: "a", Check: "mod97"}} {
		if _, err := pii.New(pii.Options{Patterns: []pii.Pattern{bad}}); rung.CodeOf(err) != rung.CodeInput {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestEnginesAgree: what one engine finds does not depend on what else it looks for.
func TestTypesAreFoundAlone(t *testing.T) {
	text := "Write to ann@example.com or call +49 30 1234567; card 4111 1111 1111 1111"
	all := shown(text, engine(t, pii.Options{}).Find(text))
	for _, want := range all {
		kind := want[:strings.IndexByte(want, '=')]
		if diff := cmp.Diff([]string{want}, shown(text, engine(t, pii.Options{Types: []pii.Type{kind}}).Find(text))); diff != "" {
			t.Errorf("%s alone: %s", kind, diff)
		}
	}
	if len(all) != 3 {
		t.Errorf("%v", all)
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"", "Ann Miller, 12 Main Street, CA 94107", "755.9217.0769.85 AB 12 34 56 C", "born 3 May 1980 12:30", "\xff\xfe a\u200bnn@exa\u00admple.com", "ｊｏｈｎ＠ｅｘａｍｐｌｅ．ｃｏｍ", "'''---a-b'c's", "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5"} {
		f.Add(s)
	}
	e := engine(f, pii.Options{})
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for _, x := range e.Find(text) {
			if x.Start < last || x.End <= x.Start || x.End > len(text) || x.Type == "" {
				t.Fatalf("%q: %+v", text, x)
			}
			for _, at := range []int{x.Start, x.End} {
				if utf8.ValidString(text) && at < len(text) && !utf8.RuneStart(text[at]) {
					t.Fatalf("%q is cut inside a character: %+v", text, x)
				}
			}
			last = x.End
		}
	})
}
