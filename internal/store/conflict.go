package store

import (
	"fmt"

	"github.com/rung-dev/rung"
)

// The conflicts that every Serving must tell in the same words.

// ReleaseExists says that a version is taken by another release.
func ReleaseExists(r rung.ReleaseLine, there rung.Digest) error {
	return &rung.Error{Code: rung.CodeConflict, Place: r.Task + "@" + r.Version,
		What: fmt.Sprintf("this version is taken by another release (%s, not %s); versions never change", there.Short(), r.Digest.Short()),
		Do:   "choose another version"}
}

// AliasMoved says that an alias does not point where the mover believes.
func AliasMoved(m rung.AliasMove, now string) error {
	return &rung.Error{Code: rung.CodeConflict, Place: m.Task + "@" + m.Alias,
		What: fmt.Sprintf("the alias points at %s and not at %s: somebody else moved it", pointsAt(now), pointsAt(m.From)),
		Do:   "look at it again, and move it if that is still right"}
}

func pointsAt(version string) string {
	if version == "" {
		return "nothing"
	}
	return version
}

// RolloutChanged says that a rollout was changed by somebody else since it was read.
func RolloutChanged(r rung.Rollout, now int64) error {
	return &rung.Error{Code: rung.CodeConflict, Place: r.ID,
		What: fmt.Sprintf("the rollout was changed by somebody else (it is at revision %d, this change is of %d)", now, r.Revision),
		Do:   "look at it again, and change it if that is still right"}
}

// RolloutActive says that a task's alias has an active rollout already.
func RolloutActive(r rung.Rollout, active string) error {
	return &rung.Error{Code: rung.CodeConflict, Place: r.Task + "@" + r.Alias,
		What: "the rollout " + active + " is active here, and there can be one at a time", Do: "wait for it to end, or end it"}
}

// NoRollout says that there is no rollout to change.
func NoRollout(id string) error {
	return &rung.Error{Code: rung.CodeNotFound, Place: id, What: "no such rollout", Do: "rung rollout history lists them"}
}

// KeyExists says that another key has the same hash.
func KeyExists(k rung.APIKey, other string) error {
	return &rung.Error{Code: rung.CodeConflict, Place: k.ID, What: "the key " + other + " has the same secret", Do: "make a new key"}
}
