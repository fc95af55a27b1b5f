package govern

import (
	"regexp"
	"strings"
)

// Answer is what a licence says of something.
type Answer string

// The answers, from the least to the most that is allowed.
const (
	No         Answer = "no"
	NotKnown   Answer = "not known" // the licence does not say, or nobody here has read it
	Conditions Answer = "on conditions"
	Yes        Answer = "yes"
)

// rank orders answers: of several licences that all hold (AND) the lowest counts, of several to choose from (OR) the highest.
var rank = map[Answer]int{No: 0, NotKnown: 1, Conditions: 2, Yes: 3}

// Says is what a licence says. It repeats the licence's text and decides nothing that courts have not: whether a model is a work
// derived from its training data is answered only where a licence speaks of it.
type Says struct {
	Train         Answer `json:"train"`          // making a model from it, without giving the model away
	Derive        Answer `json:"derive"`         // making changed works from it, without giving them away
	Publish       Answer `json:"publish"`        // giving copies or changed works away
	Attribution   bool   `json:"attribution"`    // who gives it away must name its authors
	ShareAlike    bool   `json:"share_alike"`    // changed works that are given away stay under this licence
	NonCommercial bool   `json:"non_commercial"` // only for purposes that are not commercial
	Source        string `json:"source"`         // where it says so
}

// family is what all licences of a form say. The first that matches counts.
type family struct {
	form *regexp.Regexp
	Says
}

// families are read from the licences' own texts. Training is answered by what a text says of it (CDLA: computational use and results;
// C-UDA: computational use; CC 4.0 §2(a)(1): reproducing, and producing adapted material, whatever the purpose within the licence), else
// by what it says of making derivative works.
var families = []family{
	// Public domain and dedications: no conditions (CC0 §2 and §3, PDDL §3, Unlicense, 0BSD, MIT-0; DL-DE-ZERO: any use, no conditions).
	{id(`CC0-1\.0`), Says{Yes, Yes, Yes, false, false, false, "CC0 1.0 §2: waives all rights; §3: licence without conditions where a waiver fails"}},
	{id(`CC-PDM-1\.0|CC-PDDC`), Says{Yes, Yes, Yes, false, false, false, "marked as in the public domain: a statement, not a grant; it may not hold in every country"}},
	{id(`PDDL-1\.0`), Says{Yes, Yes, Yes, false, false, false, "PDDL 1.0 §3.1: dedication to the public domain"}},
	{id(`Unlicense|0BSD|MIT-0|WTFPL`), Says{Yes, Yes, Yes, false, false, false, "grants use, copies and changes for any purpose without conditions"}},
	{id(`DL-DE-ZERO-2\.0`), Says{Yes, Yes, Yes, false, false, false, "Datenlizenz Deutschland Zero 2.0: any use without restrictions or conditions"}},

	// Creative Commons 4.0: ND and NC first, since their names hold the others'.
	{id(`CC-BY-NC-ND-4\.0`), Says{Conditions, Conditions, No, true, false, true, "CC BY-NC-ND 4.0 §2(a)(1)(B): adapted material may be produced, not shared; §1(k): no commercial purposes"}},
	{id(`CC-BY-ND-4\.0`), Says{Yes, Yes, No, true, false, false, "CC BY-ND 4.0 §2(a)(1)(B): adapted material may be produced, but not shared; unchanged copies may be shared"}},
	{id(`CC-BY-NC-SA-4\.0`), Says{Conditions, Conditions, Conditions, true, true, true, "CC BY-NC-SA 4.0 §2(a)(1): for non-commercial purposes; §3(a) attribution; §3(b) share alike"}},
	{id(`CC-BY-NC-4\.0`), Says{Conditions, Conditions, Conditions, true, false, true, "CC BY-NC 4.0 §2(a)(1): for non-commercial purposes; §3(a) attribution"}},
	{id(`CC-BY-SA-4\.0`), Says{Yes, Yes, Conditions, true, true, false, "CC BY-SA 4.0 §2(a)(1); §3(a) attribution; §3(b): adapted material that is shared is under the same licence"}},
	{id(`CC-BY-4\.0`), Says{Yes, Yes, Conditions, true, false, false, "CC BY 4.0 §2(a)(1): reproduce, share, produce adapted material; §3(a) attribution"}},
	// Before 4.0, no-derivatives licences grant no right to make adaptations at all (3.0 §3, last sentence).
	{id(`CC-BY-(NC-)?ND-[123]\..*|CC-BY-NC-ND-2\.5`), Says{No, No, No, true, false, false, "CC ND before 4.0, §3: changes that another medium needs, “but otherwise you have no rights to make Adaptations” (2.x: derivative works; 1.0 grants none); unchanged copies only"}},
	{id(`CC-BY-NC-SA-[123]\..*`), Says{Conditions, Conditions, Conditions, true, true, true, "CC BY-NC-SA §3: adaptations; §4: not for commercial advantage, attribution, share alike"}},
	{id(`CC-BY-NC-[123]\..*`), Says{Conditions, Conditions, Conditions, true, false, true, "CC BY-NC §3: adaptations; §4: not for commercial advantage, attribution"}},
	{id(`CC-BY-SA-[123]\..*|CC-SA-1\.0`), Says{Yes, Yes, Conditions, true, true, false, "CC BY-SA §3: adaptations; §4: attribution, share alike"}},
	{id(`CC-BY-[123]\..*`), Says{Yes, Yes, Conditions, true, false, false, "CC BY §3: adaptations; §4: attribution"}},

	// Licences for data.
	{id(`CDLA-Permissive-2\.0`), Says{Yes, Yes, Conditions, false, false, false, "CDLA-Permissive-2.0 §1: use, modify, share; §3: no conditions on results, models among them; its text goes along with the data"}},
	{id(`CDLA-Permissive-1\.0`), Says{Yes, Yes, Conditions, true, false, false, "CDLA-Permissive-1.0 §1.2, §1.10: computational use and its results; §3: published data keeps its notices"}},
	{id(`CDLA-Sharing-1\.0`), Says{Yes, Yes, Conditions, true, true, false, "CDLA-Sharing-1.0 §1: computational use and its results; §3.1: data that is published stays under it, with notices"}},
	{id(`C-UDA-1\.0`), Says{Yes, Conditions, Conditions, true, false, false, "C-UDA 1.0 §1.1: use, modify and distribute for computational use, of which training is one; §2.2: no restriction on results; §3.1: passed on with its attribution"}},
	{id(`O-UDA-1\.0`), Says{Yes, Yes, Conditions, true, false, false, "O-UDA 1.0 §2.1: no restriction on use, changes and results; §3.1: passed on with its attribution"}},
	{id(`ODC-By-1\.0`), Says{Yes, Yes, Conditions, true, false, false, "ODC-By 1.0 §3: derivative databases, collective databases, produced works; §4: attribution. It covers the database, not its contents"}},
	{id(`ODbL-1\.0`), Says{Yes, Yes, Conditions, true, true, false, "ODbL 1.0 §3; §4.4: derivative databases that are used in public stay under it; §4.3: notice on produced works. It covers the database, not its contents"}},
	{id(`OGL-(UK|Canada)-.*|NLOD-.*|etalab-2\.0|DL-DE-BY-2\.0|OGDL-Taiwan-1\.0`), Says{Yes, Yes, Conditions, true, false, false, "open licence of a government: copy, adapt and use for any purpose, naming the source"}},

	// Software licences, as data such as code is often under them: private use and changes are free; conditions begin with passing on.
	{id(`MIT|Apache-2\.0|BSD-[1234]-Clause.*|ISC|Zlib|BSL-1\.0|PostgreSQL|NCSA|Python-2\.0|Artistic-2\.0|AFL-3\.0|ECL-2\.0|MS-PL|MulanPSL-.*|UPL-1\.0|X11|PSF-2\.0`),
		Says{Yes, Yes, Conditions, true, false, false, "permissive software licence: use and changes for any purpose; notices go along with copies. It does not speak of models"}},
	{id(`(L|A)?GPL-.*|MPL-.*|EPL-.*|EUPL-.*|CDDL-.*|OSL-.*|CECILL-.*|MS-RL|GFDL-.*no-invariants.*`),
		Says{Yes, Yes, Conditions, true, true, false, "copyleft: use and changes in private are free; works based on it that are passed on stay under it. It does not speak of models"}},

	{id(None), Says{No, No, No, false, false, false, "NONE: there is no licence, so nobody gave permission for anything (SPDX 2.3, 7.13)"}},
}

func id(form string) *regexp.Regexp { return regexp.MustCompile(`^(?i:` + form + `)$`) }

// About is what is known of one licence, by its identifier. Licences of the user's own and those that nobody here has read are not known.
func About(id string) Says {
	for i := range families {
		if families[i].form.MatchString(id) {
			return families[i].Says
		}
	}
	why := "not in rung's table: read it"
	switch {
	case id == NoAssertion:
		why = "NOASSERTION: nobody has looked"
	case strings.Contains(id, "LicenseRef-"):
		why = "a licence of your own: say what it allows under uses"
	}
	return Says{Train: NotKnown, Derive: NotKnown, Publish: NotKnown, Source: why}
}

// Says is what an expression says: of licences joined by AND the strictest of each, of those joined by OR the one that allows most. Of
// equal ones the first counts, and its conditions with it.
func (e *Expression) Says() Says {
	if e.Operator == "" {
		return About(e.ID)
	}
	out := e.Of[0].Says()
	for _, of := range e.Of[1:] {
		s := of.Says()
		if e.Operator == "OR" {
			if s.free() > out.free() {
				out = s
			}
			continue
		}
		out = both(out, s)
	}
	return out
}

// free orders what may be chosen by an OR: what it allows, training first, then how few conditions it has.
func (s Says) free() int {
	n := 1000*rank[s.Train] + 100*rank[s.Derive] + 10*rank[s.Publish]
	for _, condition := range []bool{s.Attribution, s.ShareAlike, s.NonCommercial} {
		if condition {
			n--
		}
	}
	return n
}

func both(a, b Says) Says {
	low := func(x, y Answer) Answer {
		if rank[y] < rank[x] {
			return y
		}
		return x
	}
	source := a.Source
	if b.Source != a.Source {
		source += "; " + b.Source
	}
	return Says{low(a.Train, b.Train), low(a.Derive, b.Derive), low(a.Publish, b.Publish), a.Attribution || b.Attribution, a.ShareAlike || b.ShareAlike,
		a.NonCommercial || b.NonCommercial, source}
}
