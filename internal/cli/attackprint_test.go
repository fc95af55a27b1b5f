package cli

import (
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/attack"
)

// Kinds of attacks are compared by the method that suits each; every one of them is named, not that of the first kind.
func TestEveryMethodOfAPairedAttackIsNamed(t *testing.T) {
	pair := func(test, method string) *attack.Paired {
		return &attack.Paired{Test: test, Difference: rung.Interval{Method: method}}
	}
	doc := &app.AttackReport{Against: new(app.AgainstInfo), All: attack.Figures{Pair: pair("sign flips by input", "CR0")},
		Kinds: []attack.Figures{{Pair: pair("exact McNemar", "BCa")}, {Pair: pair("sign flips by input", "CR0")}}}
	var b strings.Builder
	writePaired(&b, doc)
	for _, part := range []string{"BCa or CR0; all: CR0", "p: exact McNemar or sign flips by input within a kind"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("it does not say %q:\n%s", part, b.String())
		}
	}
}
