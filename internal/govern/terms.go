package govern

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// Consents are the bases on which personal data may be used (GDPR Art. 6(1), in its order) and the word for data that is none. Where
// sources with different ones are joined, that which most can undo counts: consent can be withdrawn (Art. 7(3)) and legitimate interests and
// public tasks can be objected to (Art. 21(1)).
var Consents = []string{"consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests", "not_personal"}

var undone = []string{"consent", "legitimate_interests", "public_task", "contract", "legal_obligation", "vital_interests", "not_personal"}

// Uses are the uses that terms may allow.
var Uses = []rung.Use{rung.UseTrain, rung.UsePrompt, rung.UseEvaluate, rung.UsePublish}

// Sensitivities are the levels, from the least.
var Sensitivities = []rung.Sensitivity{rung.Public, rung.Internal, rung.Confidential, rung.Personal, rung.Special}

// dateForm is how a retention is written: the last day on which the data may be there, in UTC.
const dateForm = "2006-01-02"

// Check says what is wrong with terms, each fault with the name of its key as the place. Licences are read as SPDX expressions.
func Check(t *rung.Terms) rung.Errors {
	var out rung.Errors
	fail := func(key, what, do string) {
		out = append(out, &rung.Error{Code: rung.CodeInput, Place: key, What: what, Do: do})
	}
	for _, l := range t.Licence {
		if _, err := Parse(l); err != nil {
			var e *rung.Error
			if errors.As(err, &e) { // Parse gives no other
				fail("licence", e.Place+" "+e.What, e.Do)
			}
		}
	}
	if t.Consent != "" && !slices.Contains(Consents, t.Consent) {
		fail("consent", fmt.Sprintf("%.80q is no basis for using data", t.Consent), "write one of "+strings.Join(Consents, ", "))
	}
	if _, err := time.Parse(dateForm, t.Retention); t.Retention != "" && err != nil {
		fail("retention", fmt.Sprintf("%.80q is no date", t.Retention), "write the last day as YYYY-MM-DD")
	}
	for _, u := range t.Uses {
		if u != rung.UseNone && !slices.Contains(Uses, u) {
			fail("uses", fmt.Sprintf("%.80q is no use", u), "write some of train, prompt, evaluate, publish; or none alone")
		} else if u == rung.UseNone && len(t.Uses) > 1 {
			fail("uses", "none stands beside other uses", "write none alone, or leave it out")
		}
	}
	if t.Sensitivity != "" && !slices.Contains(Sensitivities, t.Sensitivity) {
		fail("sensitivity", fmt.Sprintf("%.80q is no level", t.Sensitivity), "write one of public, internal, confidential, personal, special_category")
	}
	return out
}

// Join gives what holds for data that comes from all of these: every licence, the basis that most can undo, the earliest retention, the
// uses that all who said any allow (rung.UseNone where there is none that all do), the highest sensitivity, every contact. A source that said
// nothing of its uses adds nothing here; Permit, which is asked with the sources, does not forget it. The order of the terms changes nothing.
func Join(terms ...rung.Terms) rung.Terms {
	var out rung.Terms
	said := false
	for i := range terms {
		t := &terms[i]
		out.Licence = append(out.Licence, canonical(t.Licence)...)
		out.Contact = append(out.Contact, t.Contact...)
		if at := slices.Index(undone, t.Consent); at >= 0 && (out.Consent == "" || at < slices.Index(undone, out.Consent)) {
			out.Consent = t.Consent
		}
		if t.Retention != "" && (out.Retention == "" || t.Retention < out.Retention) {
			out.Retention = t.Retention
		}
		if slices.Index(Sensitivities, t.Sensitivity) > slices.Index(Sensitivities, out.Sensitivity) {
			out.Sensitivity = t.Sensitivity
		}
		if len(t.Uses) > 0 {
			if !said {
				out.Uses, said = slices.Clone(t.Uses), true
			} else {
				out.Uses = slices.DeleteFunc(out.Uses, func(u rung.Use) bool { return !slices.Contains(t.Uses, u) })
			}
		}
	}
	out.Licence, out.Contact = sorted(out.Licence), sorted(out.Contact)
	slices.SortFunc(out.Uses, func(a, b rung.Use) int { return slices.Index(Uses, a) - slices.Index(Uses, b) })
	out.Uses = slices.Compact(out.Uses)
	if said && len(out.Uses) == 0 {
		out.Uses = []rung.Use{rung.UseNone}
	}
	return out
}

// JoinSources is Join over what the sources of a dataset say.
func JoinSources(sources []rung.Source) rung.Terms {
	terms := make([]rung.Terms, len(sources))
	for i := range sources {
		terms[i] = sources[i].Terms
	}
	return Join(terms...)
}

// canonical writes licences as the SPDX list does; those that are none stay as they are, for Check to say.
func canonical(licences []string) []string {
	out := make([]string, len(licences))
	for i, l := range licences {
		out[i] = l
		if e, err := Parse(l); err == nil {
			out[i] = e.String()
		}
	}
	return out
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// Empty reports whether nobody has said anything.
func Empty(t *rung.Terms) bool {
	return len(t.Licence) == 0 && t.Consent == "" && t.Retention == "" && len(t.Uses) == 0 && t.Sensitivity == "" && len(t.Contact) == 0
}
