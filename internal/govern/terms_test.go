package govern

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
)

func TestJoinTakesTheStrictest(t *testing.T) {
	a := rung.Terms{Licence: []string{"mit"}, Consent: "contract", Retention: "2027-05-01", Uses: []rung.Use{"publish", "train", "evaluate"}, Sensitivity: rung.Internal, Contact: []string{"b@example.org"}}
	b := rung.Terms{Licence: []string{"CC-BY-4.0", "MIT"}, Consent: "consent", Retention: "2026-12-31", Uses: []rung.Use{"evaluate", "train"}, Sensitivity: rung.Personal, Contact: []string{"a@example.org"}}
	silent := rung.Terms{}
	want := rung.Terms{Licence: []string{"CC-BY-4.0", "MIT"}, Consent: "consent", Retention: "2026-12-31", Uses: []rung.Use{"train", "evaluate"}, Sensitivity: rung.Personal,
		Contact: []string{"a@example.org", "b@example.org"}}
	all := []rung.Terms{a, b, silent}
	for range 10 { // the order changes nothing
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if got := Join(all...); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v\nwant %+v", got, want)
		}
	}
	apart := Join(rung.Terms{Uses: []rung.Use{"train"}}, rung.Terms{Uses: []rung.Use{"evaluate"}})
	if ok, known := apart.Allows(rung.UseTrain); ok || !known {
		t.Errorf("nothing is allowed by both, and train is allowed %v, known %v", ok, known)
	}
	if again := Join(apart, a); len(again.Uses) != 1 || again.Uses[0] != rung.UseNone {
		t.Errorf("nothing joined with something is %v", again.Uses)
	}
	if !reflect.DeepEqual(a.Uses, []rung.Use{"publish", "train", "evaluate"}) {
		t.Error("Join changed what it was given")
	}
}

func TestPermit(t *testing.T) {
	day := time.Date(2026, 11, 22, 23, 59, 0, 0, time.UTC)
	uses := func(u ...rung.Use) rung.Terms { return rung.Terms{Uses: u} }
	under := func(l ...string) rung.Terms { return rung.Terms{Licence: l} }
	for name, c := range map[string]struct {
		use     rung.Use
		parties []rung.Terms
		want    Verdict
		why     string
	}{
		"nobody":                 {"train", nil, Unsaid, "nobody"},
		"silent":                 {"train", []rung.Terms{{}}, Unsaid, "nobody has said"},
		"a use":                  {"train", []rung.Terms{uses("train")}, Allowed, ""},
		"another use":            {"train", []rung.Terms{uses("evaluate", "prompt")}, Forbidden, "p0 may be used for evaluation, prompts, not for training"},
		"none":                   {"evaluate", []rung.Terms{uses("none")}, Forbidden, "for nothing"},
		"a licence":              {"train", []rung.Terms{under("CC-BY-4.0")}, Allowed, ""},
		"no derivatives":         {"train", []rung.Terms{under("CC-BY-ND-3.0")}, Forbidden, "CC-BY-ND-3.0"},
		"no derivatives, prompt": {"prompt", []rung.Terms{under("CC-BY-ND-3.0")}, Allowed, ""},
		"no licence, prompt":     {"prompt", []rung.Terms{under("NONE")}, Forbidden, "NONE"},
		"licence beats uses":     {"train", []rung.Terms{{Uses: []rung.Use{"train"}, Licence: []string{"CC-BY-NC-ND-3.0"}}}, Forbidden, "Adaptations"},
		"uses beat licence":      {"train", []rung.Terms{{Uses: []rung.Use{"evaluate"}, Licence: []string{"MIT"}}}, Forbidden, "not for training"},
		"own licence":            {"train", []rung.Terms{under("LicenseRef-x")}, Unsaid, "uses"},
		"own licence with uses":  {"train", []rung.Terms{{Uses: []rung.Use{"train"}, Licence: []string{"LicenseRef-x"}}}, Allowed, ""},
		"a permission beside":    {"train", []rung.Terms{{Uses: []rung.Use{"train"}, Licence: []string{"CC-BY-ND-3.0 OR LicenseRef-permission"}}}, Allowed, ""},
		"one of two forbids":     {"train", []rung.Terms{uses("train"), uses("evaluate"), {}}, Forbidden, "p1"},
		"one of two is silent":   {"train", []rung.Terms{uses("train"), {}}, Unsaid, "p1"},
		"the last day":           {"train", []rung.Terms{{Uses: []rung.Use{"train"}, Retention: "2026-11-22"}}, Allowed, ""},
		"the day after":          {"evaluate", []rung.Terms{{Uses: []rung.Use{"evaluate"}, Retention: "2026-11-21"}}, Forbidden, "retention"},
		"no derivatives out":     {"publish", []rung.Terms{under("CC-BY-ND-4.0")}, Forbidden, "publication"},
	} {
		var parties []Party
		for i, terms := range c.parties {
			parties = append(parties, Party{Name: "p" + string(rune('0'+i)), Terms: terms})
		}
		r := Permit(c.use, day, parties...)
		if r.Verdict != c.want || !strings.Contains(r.Reason(), c.why) || (r.Verdict == Allowed) != (len(r.Why) == 0) {
			t.Errorf("%s: %s, %q; want %s, %q", name, r.Verdict, r.Reason(), c.want, c.why)
		}
	}
	r := Permit(rung.UsePublish, day, Party{Name: "d", Terms: under("CC-BY-NC-SA-4.0")})
	if len(r.Duties) != 3 {
		t.Errorf("duties of publication: %q", r.Duties)
	}
}

func TestCheckNamesEachFault(t *testing.T) {
	faults := Check(&rung.Terms{Licence: []string{"CC-BY-4"}, Consent: "yes", Retention: "31.12.2026", Uses: []rung.Use{"teach", "none"}, Sensitivity: "secret"})
	said := map[string]bool{}
	for _, e := range faults {
		said[e.Place] = true
		if e.Do == "" {
			t.Errorf("%v says not what to do", e)
		}
	}
	for _, key := range []string{"licence", "consent", "retention", "uses", "sensitivity"} {
		if !said[key] {
			t.Errorf("no fault at %s: %v", key, faults)
		}
	}
	good := rung.Terms{Licence: []string{"CC-BY-4.0"}, Consent: "contract", Retention: "2026-12-31", Uses: []rung.Use{"train"}, Sensitivity: rung.Special}
	if faults := Check(&good); len(faults) != 0 {
		t.Error(faults)
	}
}
