package store

import (
	"strconv"

	"github.com/rung-dev/rung"
)

// NextVersion is the version of the form v1, v2, … that comes after all of a task's versions.
func NextVersion(versions []string) string {
	last := 0
	for _, v := range versions {
		if len(v) < 2 || v[0] != 'v' {
			continue
		}
		if n, err := strconv.Atoi(v[1:]); err == nil && n > last {
			last = n
		}
	}
	return "v" + strconv.Itoa(last+1)
}

// MergeMoments adds one gateway's observations to those of others: arm → metric → moments.
func MergeMoments(into, one map[string]map[string]rung.Moments) {
	for arm, metrics := range one {
		if into[arm] == nil {
			into[arm] = map[string]rung.Moments{}
		}
		for name, m := range metrics {
			sum := into[arm][name]
			sum.Merge(m)
			into[arm][name] = sum
		}
	}
}
