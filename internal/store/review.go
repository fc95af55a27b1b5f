package store

import (
	"fmt"
	"slices"
	"time"

	"github.com/rung-dev/rung"
)

// ReviewExists says that a revision of a review was written by somebody else in the meantime.
func ReviewExists(r rung.Review) error {
	return &rung.Error{Code: rung.CodeConflict, Place: r.Task + "@" + r.Version, What: fmt.Sprintf("the revision %d of its review is there already: somebody else changed it", r.Revision),
		Do: "look at it again (rung review), and change it if that is still right"}
}

// MayPoint refuses an alias of a release that demands a review for it, unless the review, nil where there is none, is signed and holds on that
// day. An alias for a segment demands what its alias demands.
func MayPoint(line *rung.ReleaseLine, alias string, review *rung.Review, day time.Time) error {
	demands := slices.ContainsFunc(line.Review, func(name string) bool {
		return alias == name || len(alias) > len(name) && alias[:len(name)+1] == name+"/"
	})
	if !demands {
		return nil
	}
	place := line.Task + "@" + line.Version
	no := func(what string) error {
		return &rung.Error{Code: rung.CodeDenied, Place: place, What: what + ", and " + alias + " demands a signed one (require_review)", Do: "rung review " + place + " shows what is to be answered; rung review " + place + " --sign --name NAME signs it"}
	}
	switch {
	case review == nil:
		return no("it has no risk review")
	case review.Release != line.Digest:
		return no("its risk review is of another release")
	}
	switch state := review.StateOn(day); state {
	case rung.ReviewSigned:
		return nil
	case rung.ReviewExpired:
		return no("its risk review held until " + review.Expires)
	default:
		return no("its risk review is " + map[rung.ReviewState]string{rung.ReviewDraft: "a draft", rung.ReviewRefused: "refused"}[state])
	}
}
