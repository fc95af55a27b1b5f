package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

var (
	errNotObject = errors.New("the row is not an object")
	errTrailing  = errors.New("something follows the object")
)

// atEnd reports what follows the value that dec has read.
func atEnd(dec *jsontext.Decoder) error {
	switch _, err := dec.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return errTrailing
	default:
		return err
	}
}

// compact appends value without white space between its tokens and with one way of writing each string, so that two files
// that say the same in different escapes have the same digest. The order of keys stays.
func compact(dst, value []byte) ([]byte, error) {
	if len(value) == 0 {
		return dst, io.ErrUnexpectedEOF
	}
	if c := value[0]; c != '{' && c != '[' && bytes.IndexByte(value, '\\') < 0 {
		return append(dst, value...), nil
	}
	return jsontext.AppendFormat(dst, value, jsontext.PreserveRawStrings(false))
}

// kindOf names the kind of a JSON value.
func kindOf(value []byte) string {
	if len(value) == 0 {
		return "nothing"
	}
	switch value[0] {
	case '"':
		return "text"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

// hasType reports whether a JSON value is of the type of an input field.
func hasType(value []byte, typ string) bool {
	if len(value) == 0 {
		return false
	}
	c := value[0]
	number := c == '-' || c >= '0' && c <= '9'
	switch typ {
	case "string":
		return c == '"'
	case "number":
		return number
	case "integer":
		return number && whole(value)
	case "boolean":
		return c == 't' || c == 'f'
	case "array":
		return c == '['
	case "object":
		return c == '{'
	}
	return false
}

func whole(value []byte) bool {
	if !bytes.ContainsAny(value, ".eE") {
		return true
	}
	f, err := strconv.ParseFloat(string(value), 64)
	return err == nil && f == float64(int64(f))
}

// scalar is the text of a JSON string or number.
func scalar(value []byte) ([]byte, bool) {
	if value[0] == '"' {
		return unquote(value), true
	}
	return value, value[0] == '-' || value[0] >= '0' && value[0] <= '9'
}

// unquote is the text of a valid JSON string; it points into value when nothing is escaped.
func unquote(value []byte) []byte {
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1]
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return value[1 : len(value)-1]
	}
	return text
}

// quote appends text as a JSON string.
func quote(dst []byte, text string) []byte {
	out, err := jsontext.AppendQuote(dst, text)
	if err != nil { // not UTF-8, which the readers refuse before
		out, _ = jsontext.AppendQuote(dst, string(bytes.ToValidUTF8([]byte(text), []byte("\ufffd"))))
	}
	return out
}

// clip shortens a value for a message.
func clip(b []byte, limit int) string {
	if len(b) <= limit {
		return string(b)
	}
	for limit > 0 && !utf8.RuneStart(b[limit]) {
		limit--
	}
	return string(b[:limit]) + "…"
}

// reason puts a JSON syntax error into words; column counts characters of line from 1, 0 when unknown.
func reason(err error, line []byte) (what string, column int) {
	var se *jsontext.SyntacticError
	if !errors.As(err, &se) {
		return err.Error(), 0
	}
	off := min(max(se.ByteOffset, 0), int64(len(line)))
	column = utf8.RuneCount(line[:off]) + 1
	switch {
	case errors.Is(se.Err, io.ErrUnexpectedEOF):
		return "not JSON: the row ends before the value does", column
	case errors.Is(se.Err, jsontext.ErrDuplicateName):
		return fmt.Sprintf("the key %q is there twice", se.JSONPointer.LastToken()), column
	}
	return "not JSON: " + se.Err.Error(), column
}
