package govern

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
)

func TestParseWritesAsSPDXDoes(t *testing.T) {
	for in, want := range map[string]string{
		"mit":                                  "MIT",
		" cc-by-4.0 ":                          "CC-BY-4.0",
		"MIT or apache-2.0 and BSD-3-Clause":   "MIT OR Apache-2.0 AND BSD-3-Clause",
		"(MIT OR Apache-2.0) AND BSD-3-Clause": "(MIT OR Apache-2.0) AND BSD-3-Clause",
		"((MIT))":                              "MIT",
		"GPL-2.0+":                             "GPL-2.0+",
		"CDDL-1.0+":                            "CDDL-1.0+",
		"gpl-2.0-only with classpath-exception-2.0":        "GPL-2.0-only WITH Classpath-exception-2.0",
		"LicenseRef-acme.1 AND DocumentRef-x:LicenseRef-y": "LicenseRef-acme.1 AND DocumentRef-x:LicenseRef-y",
		"NONE":        "NONE",
		"NOASSERTION": "NOASSERTION",
	} {
		e, err := Parse(in)
		if err != nil || e.String() != want {
			t.Errorf("%q is %v, %v; want %q", in, e, err, want)
			continue
		}
		if again, err := Parse(e.String()); err != nil || again.String() != want {
			t.Errorf("%q read again is %v, %v", want, again, err)
		}
	}
}

func TestParseRefusesAndOffersTheNearest(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "is empty",
		"CC-BY 4.0":                      "did you mean \"CC-BY-4.0\"?",
		"CC-BY-4":                        "did you mean \"CC-BY-4.0\"?",
		"Apache 2.0":                     "did you mean \"Apache-2.0\"?",
		"apache2":                        "did you mean \"Apache-2.0\"?",
		"cc-by-nc":                       "did you mean \"CC-BY-NC-4.0\"?",
		"GPLv3":                          "did you mean \"GPL-3.0-only\"?",
		"qqqqqqqqqqqqqqqqqq":             "spdx.org/licenses has the list",
		"MIT AND":                        "lacks a licence",
		"AND MIT":                        "lacks a licence",
		"(MIT":                           "not closed",
		"MIT)":                           "where it should end",
		"MIT Apache-2.0":                 "where it should end",
		"MIT WITH":                       "exception",
		"MIT WITH classpath-exception-2": "Classpath-exception-2.0",
		"LicenseRef-":                    "not on the SPDX list",
		"NONE AND MIT":                   "not on the SPDX list",
		strings.Repeat("(", 5000):        "longer than",
	} {
		_, err := Parse(in)
		var e *rung.Error
		if !errors.As(err, &e) || e.Code != rung.CodeInput || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v; want %q", in, err, want)
		}
	}
}

// TestEveryIdentifierIsOnTheListOfCycloneDX: both lists are those of spdx.org; CycloneDX's may be younger or older by a few.
func TestEveryIdentifierIsOnTheListOfCycloneDX(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil || strings.TrimSpace(string(dir)) == "" {
		t.Skip("the module of CycloneDX is not here")
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "schema", "spdx.schema.json"))
	if err != nil {
		t.Skip("the module of CycloneDX has no schema of SPDX")
	}
	var schema struct{ Enum []string }
	if err := json.Unmarshal(b, &schema); err != nil || len(schema.Enum) < 500 {
		t.Fatalf("%d identifiers, %v", len(schema.Enum), err)
	}
	missing := 0
	for _, id := range schema.Enum {
		low := strings.ToLower(id)
		if spdx.licences[low] != id && spdx.deprecated[low] != id && spdx.exceptions[low] != id {
			missing++
		}
	}
	if missing > len(schema.Enum)/20 {
		t.Errorf("%d of %d identifiers are not in spdx.txt: run scripts/spdx.py", missing, len(schema.Enum))
	}
}

// TestEveryFamilyIsOfLicencesThatExist: a slip in a form would answer for nothing.
func TestEveryFamilyIsOfLicencesThatExist(t *testing.T) {
	for _, f := range families {
		found := f.form.MatchString(None)
		for _, ids := range []map[string]string{spdx.licences, spdx.deprecated} {
			for _, id := range ids {
				found = found || f.form.MatchString(id)
			}
		}
		if !found || f.Source == "" {
			t.Errorf("%s matches no licence, or has no source", f.form)
		}
	}
}

func TestWhatLicencesSay(t *testing.T) {
	for expr, want := range map[string][3]Answer{ // train, derive, publish
		"CC0-1.0":                                {Yes, Yes, Yes},
		"CC-BY-4.0":                              {Yes, Yes, Conditions},
		"CC-BY-NC-4.0":                           {Conditions, Conditions, Conditions},
		"CC-BY-ND-4.0":                           {Yes, Yes, No},
		"CC-BY-ND-3.0":                           {No, No, No},
		"CC-BY-NC-ND-2.5":                        {No, No, No},
		"CC-BY-3.0-DE":                           {Yes, Yes, Conditions},
		"GPL-3.0-or-later":                       {Yes, Yes, Conditions},
		"Elastic-2.0":                            {NotKnown, NotKnown, NotKnown},
		"LicenseRef-acme":                        {NotKnown, NotKnown, NotKnown},
		"NOASSERTION":                            {NotKnown, NotKnown, NotKnown},
		"NONE":                                   {No, No, No},
		"MIT AND CC-BY-ND-3.0":                   {No, No, No},
		"MIT OR CC-BY-ND-3.0":                    {Yes, Yes, Conditions},
		"LicenseRef-x OR CC-BY-ND-3.0":           {NotKnown, NotKnown, NotKnown},
		"MIT AND (LicenseRef-x OR CC-BY-NC-4.0)": {Conditions, Conditions, Conditions},
	} {
		e, err := Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if s := e.Says(); [3]Answer{s.Train, s.Derive, s.Publish} != want {
			t.Errorf("%s: %s %s %s, want %v", expr, s.Train, s.Derive, s.Publish, want)
		}
	}
	e, _ := Parse("CC-BY-SA-4.0 AND CC-BY-NC-4.0")
	if s := e.Says(); !s.ShareAlike || !s.NonCommercial || !s.Attribution {
		t.Errorf("conditions of both do not hold: %+v", s)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"MIT OR (Apache-2.0 AND GPL-2.0-only WITH Classpath-exception-2.0)", "LicenseRef-a", "((", "MIT+ +"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(e.String())
		if err != nil || again.String() != e.String() || !slices.Equal(again.IDs(), e.IDs()) {
			t.Errorf("%q is %q, and that read again %v, %v", text, e, again, err)
		}
	})
}
