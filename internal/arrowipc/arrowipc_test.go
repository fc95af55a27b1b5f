package arrowipc_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/arrowipc"
)

// rows reads all rows of a file, a line each.
func rows(b []byte) (string, int, error) {
	var out []byte
	problems := 0
	a, err := arrowipc.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return "", 0, err
	}
	for {
		batch, err := a.Next()
		if errors.Is(err, io.EOF) {
			return string(out), problems, nil
		}
		if err != nil {
			return string(out), problems, err
		}
		for i := range min(batch.Rows, 1000) {
			var p []arrowipc.Problem
			out, p = batch.AppendRow(out, i)
			problems += len(p)
			out = append(out, '\n')
		}
	}
}

const want = `{"word":"a","at":"1970-01-01T00:00:00Z","local":"1970-01-01T00:00:00","long":"x","small":-1,"big":9223372036854775808,"price":-1.50,"map":{"k":1},"bytes":null,"day":"1970-01-01","pair":[1,2],"half":1.5,"nested":{"a":[{"b":1}]},"none":null}
{"word":"b","at":"1970-01-01T00:00:00.001Z","local":null,"long":"y","small":2,"big":0,"price":0.05,"map":{},"bytes":"ok","day":"1970-01-02","pair":[3,4],"half":null,"nested":null,"none":null}
{"word":"a","at":"1970-01-01T00:00:00.002Z","local":"1970-01-01T00:00:02","long":"z","small":3,"big":1,"price":null,"map":null,"bytes":null,"day":"2024-10-04","pair":null,"half":-2,"nested":{"a":null},"none":null}
`

// TestEveryType reads what pyarrow 26 wrote, in two batches: plain and with compressed buffers.
func TestEveryType(t *testing.T) {
	for _, name := range []string{"plain", "lz4", "zstd"} {
		b, err := os.ReadFile("testdata/" + name + ".arrow")
		if err != nil {
			t.Fatal(err)
		}
		got, problems, err := rows(b)
		if err != nil || got != want || problems != 1 {
			t.Errorf("%s: %v, %d problems\n%s", name, err, problems, got)
		}
	}
}

// TestDamage: a file cut anywhere, or with any byte changed, is read or refused, and never more than it holds.
func TestDamage(t *testing.T) {
	whole, err := os.ReadFile("testdata/plain.arrow")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for n := 0; n < len(whole); n += 7 {
		if _, _, err := rows(whole[:n]); err != nil {
			refused++
		}
		changed := bytes.Clone(whole)
		changed[n] ^= 0xff
		if _, _, err := rows(changed); err != nil {
			refused++
		}
	}
	if refused < 100 {
		t.Errorf("only %d damaged files are refused", refused)
	}
}

// FuzzReader: whatever the bytes, each row is JSON or the file is refused.
func FuzzReader(f *testing.F) {
	for _, name := range []string{"plain", "lz4", "zstd"} {
		b, err := os.ReadFile("testdata/" + name + ".arrow")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, _, _ := rows(b)
		for line := range strings.Lines(got) {
			if !json.Valid([]byte(line)) {
				t.Errorf("no JSON: %q", line)
			}
		}
	})
}
