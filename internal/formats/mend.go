package formats

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung/internal/charset"
)

// mend repairs double-encoded UTF-8 in the texts of a row, each for itself.
func mend(row []byte) ([]byte, []charset.Repair) {
	if bytes.IndexByte(row, 0xc3) < 0 && !bytes.Contains(row, []byte(`\u00`)) {
		return row, nil
	}
	var out []byte
	var repairs []charset.Repair
	copied := 0
	for i := 0; i < len(row); i++ {
		if row[i] != '"' {
			continue
		}
		end := i + 1
		for end < len(row) && row[end] != '"' {
			if row[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end+1, len(row))
		quoted := row[i:end]
		if bytes.IndexByte(quoted, 0xc3) >= 0 || bytes.Contains(quoted, []byte(`\u00`)) {
			text, err := jsontext.AppendUnquote(nil, quoted)
			if err != nil {
				return row, nil // not valid JSON, which is refused elsewhere
			}
			fixed, is := charset.Mend(string(text))
			switch is {
			case charset.Mangled:
				out = append(out, row[copied:i]...)
				if out, err = jsontext.AppendQuote(out, fixed); err != nil {
					return row, nil
				}
				copied = end
				repairs = append(repairs, charset.Differing(charset.Mojibake, string(text), fixed))
			case charset.Doubted:
				repairs = append(repairs, charset.Differing(charset.Suspected, string(text), string(text)))
			}
		}
		i = end - 1
	}
	if out == nil {
		return row, repairs
	}
	return append(out, row[copied:]...), repairs
}
