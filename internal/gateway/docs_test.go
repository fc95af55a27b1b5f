package gateway

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
)

func document(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "gateway.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDocumentHasTheStatuses: the table of errors is that of the code.
func TestDocumentHasTheStatuses(t *testing.T) {
	got := map[rung.Code]int{}
	_, table, _ := strings.Cut(document(t), "| code | status | meaning |")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			if len(got) > 0 {
				break
			}
			continue
		}
		status, err := strconv.Atoi(strings.TrimSpace(cells[2]))
		if err != nil {
			continue
		}
		for _, code := range strings.Split(cells[1], ",") {
			got[rung.Code(strings.Trim(strings.TrimSpace(code), "`"))] = status
		}
	}
	for code, status := range statuses {
		if got[code] != status {
			t.Errorf("the document gives %s the status %d, it is %d", code, got[code], status)
		}
		delete(got, code)
	}
	for code := range got {
		t.Errorf("there is no code %s", code)
	}
}

// TestDocumentedConfigurationIsRead: the example is a configuration, its limits are the defaults, and it has every key.
func TestDocumentedConfigurationIsRead(t *testing.T) {
	t.Setenv("GROUPS_SECRET", strings.Repeat("s", 32))
	_, block, _ := strings.Cut(document(t), "```yaml gateway\n")
	block, _, _ = strings.Cut(block, "```")
	c, err := ParseConfig("gateway.yaml", []byte(block))
	if err != nil {
		t.Fatal(err)
	}
	if d := Default(); c.Limits != d.Limits || c.Listen != d.Listen || c.Keep != d.Keep || c.KeepBytes != d.KeepBytes || c.Drain != d.Drain || c.Text != d.Text {
		t.Errorf("the document's defaults are %+v, the code's %+v", c, d)
	}
	_, err = ParseConfig("g", []byte("none: 1"))
	_, list, _ := strings.Cut(err.Error(), "use ")
	for _, key := range strings.Split(list, ", ") {
		if !strings.Contains(block, "\n"+key+":") && !strings.HasPrefix(block, key+":") {
			t.Errorf("the document's example does not have %q", key)
		}
	}
}
