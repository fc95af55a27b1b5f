package gateway

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"
)

var jsonType = []string{"application/json"}

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// appendString writes s as a JSON string; what is not UTF-8 is replaced.
func appendString(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	out, err := jsontext.AppendQuote(b, s)
	if err != nil {
		return append(b, `""`...) // not possible: s is valid UTF-8
	}
	return out
}

// maxNesting bounds how deep a request may nest; the parsers recurse.
const maxNesting = 100

var errNesting = errors.New("the JSON nests too deep")

// checkJSON says what is wrong with a body that must be one JSON object.
func checkJSON(body []byte) error {
	depth, inside := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{', c == '[':
			if depth++; depth > maxNesting {
				return errNesting
			}
		case c == '}', c == ']':
			depth--
		}
	}
	if !gjson.ValidBytes(body) {
		return errors.New("the body is not JSON")
	}
	return nil
}

// view is b as a string without a copy: it is valid as long as b is neither changed nor given back.
func view(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}
