package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// FindRelease looks a release up by task@version, task@alias, a task alone (its production), or a version or alias that only one
// task has.
func FindRelease(ctx context.Context, serving store.Serving, name string) (rung.ReleaseLine, error) {
	task, version, full := strings.Cut(name, "@")
	if !full {
		task, version = "", name
	}
	lines, err := serving.Releases(ctx, task)
	if err != nil {
		return rung.ReleaseLine{}, err
	}
	aliases, err := serving.Aliases(ctx, task)
	if err != nil {
		return rung.ReleaseLine{}, err
	}
	var found []rung.ReleaseLine
	for _, l := range lines {
		if l.Version == version || !full && l.Task == name && pointsAt(aliases, l, rung.Production) || pointsAt(aliases, l, version) {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return rung.ReleaseLine{}, &rung.Error{Code: rung.CodeNotFound, What: fmt.Sprintf("there is no release %q", name), Do: "see rung releases, and write TASK@VERSION"}
	}
	return rung.ReleaseLine{}, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%q is the name of %d releases", name, len(found)), Do: "write TASK@VERSION, such as " + found[0].Task + "@" + found[0].Version}
}

func pointsAt(aliases []rung.AliasMove, l rung.ReleaseLine, alias string) bool {
	for _, a := range aliases {
		if a.Task == l.Task && a.Alias == alias && a.Version == l.Version {
			return true
		}
	}
	return false
}
