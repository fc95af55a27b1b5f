package records

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// maxFooter bounds the description of a Parquet file: 64 MiB is that of some hundred thousand column chunks.
const maxFooter = 64 << 20

// CheckFooter holds the length of a Parquet file's footer, which the file states about itself and the library believes, to the file's own.
func CheckFooter(f io.ReaderAt, size int64) error {
	const tail = 8 // the length, four bytes little-endian, and the magic
	if size < tail+4 {
		return errors.New("it is too short")
	}
	var end [tail]byte
	if _, err := f.ReadAt(end[:], size-tail); err != nil {
		return err
	}
	if magic := string(end[4:]); magic != "PAR1" {
		return fmt.Errorf("it ends with %q, not with PAR1", magic)
	}
	if n := int64(binary.LittleEndian.Uint32(end[:4])); n > size-tail-4 || n > maxFooter {
		return fmt.Errorf("its footer claims a length of %d bytes", n)
	}
	return nil
}

// ClassNames reads which columns hold the numbers of classes, from Hugging Face's description of features, as dataset_info.json and the
// metadata of their Parquet and Arrow files have it. Anything else gives none.
func ClassNames(description []byte) map[string][]string {
	var d struct {
		Info     struct{ Features map[string]json.RawMessage }
		Features map[string]json.RawMessage
	}
	if json.Unmarshal(description, &d) != nil {
		return nil
	}
	if d.Features == nil {
		d.Features = d.Info.Features
	}
	var out map[string][]string
	for column, raw := range d.Features {
		var f struct {
			Type  string `json:"_type"`
			Names []string
		}
		if json.Unmarshal(raw, &f) == nil && f.Type == "ClassLabel" && len(f.Names) > 0 {
			if out == nil {
				out = map[string][]string{}
			}
			out[column] = f.Names
		}
	}
	return out
}

// ClassName is the name of a class by the number that a row has, nil when it is none.
func ClassName(names []string, value []byte) []byte {
	n, err := strconv.Atoi(string(value))
	if err != nil || n < 0 || n >= len(names) {
		return nil
	}
	out, err := jsontext.AppendQuote(nil, names[n])
	if err != nil {
		return nil
	}
	return out
}
