package cli

import (
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/formats"
)

// readFlags say how files of rows are read; the commands that read them have them under the same names.
type readFlags struct {
	from, encoding, output, chat, maxExpanded string
	input                                     []string
	mapping                                   map[string]string
	maxRatio                                  int64
}

func (r *readFlags) add(f *pflag.FlagSet) {
	f.StringVar(&r.from, "from", "", "format of the rows: rung, flat, text, chat, sharegpt, alpaca, labelstudio, promptfoo, traces, folder (default: found)")
	f.StringVar(&r.encoding, "encoding", "", "encoding of the text, such as shift_jis or windows-1251 (default: found)")
	f.StringSliceVar(&r.input, "input", nil, "keys or columns that are the input; '*' takes all without another role (default: found)")
	f.StringVar(&r.output, "output", "", "key or column that is the output (default: found)")
	f.StringToStringVar(&r.mapping, "map", nil, "role=key, for the roles id, output, alternatives, segment, group, split, time, person and input.NAME")
	f.StringVar(&r.chat, "chat", "", "keep the input of chats as text (one question, with the system turn) or as messages (default: what the first 1,000 rows need)")
	f.StringVar(&r.maxExpanded, "max-expanded", "64GiB", "how much a compressed file may expand to")
	f.Int64Var(&r.maxRatio, "max-ratio", 200, "how many times its size a compressed file may expand to, beyond its first 64 MiB")
}

func (r *readFlags) options() (formats.Options, error) {
	size, err := byteSize(r.maxExpanded)
	if err != nil {
		return formats.Options{}, err
	}
	if r.maxRatio <= 0 {
		return formats.Options{}, usage("--max-ratio %d: write a number from 1", r.maxRatio)
	}
	return formats.Options{Format: formats.Format(r.from), Encoding: r.encoding, Input: r.input, Output: r.output, Map: r.mapping,
		Conversation: formats.Conversation(r.chat), MaxExpanded: size, MaxRatio: r.maxRatio}, nil
}

// byteSize reads 512MiB, 64GiB and the like.
func byteSize(s string) (int64, error) {
	text := strings.TrimSpace(s)
	for _, u := range []struct {
		name string
		size int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}} {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n <= 0 || n > (1<<62)/u.size {
			break
		}
		return n * u.size, nil
	}
	return 0, usage("%q is no size: write 512MiB or 64GiB", s)
}

// fieldNames are the fields of a task's input.
func fieldNames(t *rung.Task) []string {
	var names []string
	for _, f := range t.Input {
		names = append(names, f.Name)
	}
	return names
}

// isRead reports whether path is one of the files that are read.
func isRead(path string, read []string) bool {
	to, err := os.Stat(path)
	if err != nil {
		return false // not there yet
	}
	for _, from := range read {
		if other, err := os.Stat(from); err == nil && os.SameFile(to, other) {
			return true
		}
	}
	return false
}
