package gateway

import (
	"net/http"
	"strings"
	"testing"
)

func TestParentOf(t *testing.T) {
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for header, want := range map[string][2]string{
		"00-" + id + "-" + span + "-01":                            {id, span},
		"00-" + strings.ToUpper(id) + "-" + span + "-01":           {id, span},
		"00-" + id + "-" + span + "-00":                            {id, ""}, // not sampled: its spans are nowhere
		"01-" + id + "-" + span + "-01-more":                       {id, span},
		"00-" + id + "-" + span + "-01-more":                       {},
		"ff-" + id + "-" + span + "-01":                            {},
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":       {},
		"00-" + id + "-" + strings.Repeat("0", 16) + "-01":         {},
		"00-" + id + "_" + span + "-01":                            {},
		"00-" + id[:31] + "g-" + span + "-01":                      {},
		"00-" + id + "-" + span:                                    {},
		"":                                                         {},
		"01-" + id + "-" + span + "-01" + strings.Repeat("-", 600): {},
		"00-" + id + "-" + span[:14] + "é-01":                      {},
	} {
		r := &http.Request{Header: http.Header{"Traceparent": {header}}}
		if trace, parent := parentOf(r); trace != want[0] || parent != want[1] {
			t.Errorf("%q gives %q, %q", header, trace, parent)
		}
	}
}
