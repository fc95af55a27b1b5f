package govern

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// Party is whose terms are asked: a source of a dataset, a dataset, or a task's own.
type Party struct {
	Name string `json:"name"`
	rung.Terms
}

// Verdict is what terms say of a use.
type Verdict string

// The verdicts, from the worst.
const (
	Forbidden Verdict = "forbidden"
	Unsaid    Verdict = "not known" // neither allowed nor forbidden
	Allowed   Verdict = "allowed"
)

// Ruling is what the terms of all parties together say of one use.
type Ruling struct {
	Use     rung.Use `json:"use"`
	Verdict Verdict  `json:"verdict"`
	Expired bool     `json:"expired,omitempty"` // the retention of a party has passed
	Why     []string `json:"why,omitempty"`     // a sentence for each party that forbids or has not said, without a full stop
	Duties  []string `json:"duties,omitempty"`  // what comes with the use: attribution, share alike, non-commercial
}

// Reason is why, in one line.
func (r *Ruling) Reason() string { return strings.Join(r.Why, "; ") }

// Permit says whether data of these parties may be used so on a day. The strictest party decides. A party forbids what its retention has
// passed for, what is not among its uses, and what its licence says no to. Its licence and its uses must both allow a use that both speak
// of; where only one speaks, that one decides, and where neither does it is not known.
func Permit(use rung.Use, day time.Time, parties ...Party) Ruling {
	r := Ruling{Use: use, Verdict: Allowed}
	if len(parties) == 0 {
		return Ruling{Use: use, Verdict: Unsaid, Why: []string{"nobody has said what the data may be used for"}}
	}
	for i := range parties {
		p := &parties[i]
		if Passed(&p.Terms, day) {
			r.Expired = true
			r.worsen(Forbidden, fmt.Sprintf("%s had to be gone after %s (retention)", p.Name, p.Retention))
			continue
		}
		r.party(p)
	}
	if r.Verdict == Allowed {
		r.Why = nil
	}
	return r
}

// worsen takes in a verdict. Reasons of a milder kind than the worst are dropped: why something is forbidden is not to be searched for
// among what nobody has said.
func (r *Ruling) worsen(v Verdict, why string) {
	order := []Verdict{Forbidden, Unsaid, Allowed}
	switch now, new := slices.Index(order, r.Verdict), slices.Index(order, v); {
	case new > now:
		return
	case new < now:
		r.Verdict, r.Why = v, nil
	}
	r.Why = append(r.Why, why)
}

func (r *Ruling) party(p *Party) {
	allowed, said := p.Allows(r.Use)
	if said && !allowed {
		r.worsen(Forbidden, fmt.Sprintf("%s may be used for %s, not for %s", p.Name, useList(p.Uses), useWords[r.Use]))
	}
	spoken := false
	for _, l := range p.Licence {
		e, err := Parse(l)
		if err != nil {
			r.worsen(Unsaid, fmt.Sprintf("%s is under %q, which is no SPDX expression", p.Name, l))
			continue
		}
		says := e.Says()
		answer := says.of(r.Use)
		switch answer {
		case No:
			r.worsen(Forbidden, fmt.Sprintf("%s is under %s, which does not allow %s (%s)", p.Name, e, useWords[r.Use], says.Source))
		case Yes, Conditions:
			spoken = true
			r.duties(p, e, says)
		case NotKnown:
			if !said {
				r.worsen(Unsaid, fmt.Sprintf("%s is under %s, of which it is not known whether it allows %s (%s)", p.Name, e, useWords[r.Use], says.Source))
				spoken = true
			}
		}
	}
	if !said && !spoken && len(p.Licence) == 0 {
		r.worsen(Unsaid, fmt.Sprintf("nobody has said whether %s may be used for %s (uses, licence)", p.Name, useWords[r.Use]))
	}
}

// of is the answer to a use. Evaluating copies the data and makes nothing of it; a prompt hands it to a model, which changes and publishes
// nothing: both need no more than the right to copy, which every licence in the table but NONE gives.
func (s *Says) of(u rung.Use) Answer {
	switch u {
	case rung.UseTrain:
		return s.Train
	case rung.UsePublish:
		return s.Publish
	}
	switch {
	case s.Train == No && s.Source != About(None).Source:
		return Yes
	case s.NonCommercial && s.Train != No:
		return Conditions
	}
	return s.Train
}

func (r *Ruling) duties(p *Party, e *Expression, s Says) {
	add := func(ok bool, text string) {
		if text = fmt.Sprintf("%s (%s): %s", p.Name, e, text); ok && !slices.Contains(r.Duties, text) {
			r.Duties = append(r.Duties, text)
		}
	}
	add(s.NonCommercial, "for purposes that are not commercial only")
	if r.Use == rung.UsePublish {
		add(s.Attribution, "name its authors and the licence")
		add(s.ShareAlike, "changed works stay under this licence")
	}
}

var useWords = map[rung.Use]string{rung.UseTrain: "training", rung.UsePrompt: "prompts", rung.UseEvaluate: "evaluation", rung.UsePublish: "publication", rung.UseNone: "nothing"}

func useList(uses []rung.Use) string {
	out := make([]string, len(uses))
	for i, u := range uses {
		out[i] = useWords[u]
	}
	return strings.Join(out, ", ")
}

// Passed reports whether the data had to be gone before a day. The day of the retention itself is still allowed.
func Passed(t *rung.Terms, day time.Time) bool {
	last, err := time.Parse(dateForm, t.Retention)
	return err == nil && t.Retention != "" && !day.UTC().Before(last.AddDate(0, 0, 1))
}
