package task

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// licenceRule is the form of an SPDX identifier (spdx.dev, annex D of the specification); LicenseRef-NAME has it too.
var licenceRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+-]*$`)

func (r *reader) licences(s section) []string {
	const do = "write an SPDX identifier, such as: licence: CC-BY-4.0; LicenseRef-NAME is one of your own"
	var out []string
	for _, it := range s.list("licence", true, do) {
		name := strings.TrimSpace(it.text)
		switch {
		case !licenceRule.MatchString(name) || len(name) > 100:
			r.fail(it.at, fmt.Sprintf("%.100q is no SPDX identifier", name), do)
		case slices.Contains(out, name):
			r.fail(it.at, name+" is listed twice", "keep it once")
		default:
			out = append(out, name)
		}
	}
	return out
}
