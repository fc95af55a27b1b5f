package cli

import "github.com/rung-dev/rung"

// settled turns a verdict into the exit status of a gate: none for a pass and where nothing was asked.
func settled(v rung.Verdict, reason string) error {
	switch v {
	case rung.Fail:
		return &rung.Error{Code: rung.CodeFailed, What: "fail: " + reason}
	case rung.Inconclusive:
		return &rung.Error{Code: rung.CodeUnsettled, What: "inconclusive: " + reason}
	}
	return nil
}
