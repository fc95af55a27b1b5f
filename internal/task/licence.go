package task

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/govern"
)

func (r *reader) licences(s section) []string {
	const do = "write an SPDX identifier or expression, such as: licence: CC-BY-4.0; LicenseRef-NAME is one of your own"
	var out []string
	for _, it := range s.list("licence", true, do) {
		e, err := govern.Parse(it.text)
		var fault *rung.Error
		switch {
		case errors.As(err, &fault):
			r.fail(it.at, fault.Place+" "+fault.What, fault.Do)
		case slices.Contains(out, e.String()):
			r.fail(it.at, e.String()+" is listed twice", "keep it once")
		default:
			out = append(out, e.String())
		}
	}
	return out
}

// ownTerms are what the task file says of its data.
func (r *reader) ownTerms(s section, licences []string) (rung.Terms, bool) {
	own := r.section(s.get("terms"), "terms", "terms")
	t := r.terms(own)
	t.Licence = licences
	return t, own.flag("strict")
}

var aliasRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$`)

// reviewed are the aliases that demand a signed review.
func (r *reader) reviewed(s section) []string {
	const do = "name aliases, such as: require_review: [production]"
	var out []string
	for _, it := range s.list("require_review", true, do) {
		name := strings.TrimSpace(it.text)
		switch {
		case !aliasRule.MatchString(name):
			r.fail(it.at, fmt.Sprintf("%.80q is no alias", name), do)
		case name == rung.CandidateAlias:
			r.fail(it.at, "the alias candidate points at every new release, before anybody can have reviewed it", "name another alias")
		case !slices.Contains(out, name):
			out = append(out, name)
		}
	}
	return out
}
