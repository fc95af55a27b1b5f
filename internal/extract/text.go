package extract

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parseText makes a document of one section without heading.
func parseText(_ context.Context, path string, data []byte) (Document, error) {
	text, warnings, err := decode(path, data)
	if err != nil {
		return Document{}, err
	}
	doc := Document{Path: path, Text: text, Warnings: warnings}
	doc.add("", 0, len(text))
	return doc, nil
}

// add appends the section Text[start:end] with surrounding white space cut off, unless nothing is left.
func (d *Document) add(heading string, start, end int) {
	const space = " \t\n\f\v\u00a0"
	body := d.Text[start:end]
	start += len(body) - len(strings.TrimLeft(body, space))
	body = strings.Trim(body, space)
	if body == "" {
		return
	}
	d.Sections = append(d.Sections, Section{Heading: heading, Text: body, Start: start, End: start + len(body)})
}

// decode makes valid UTF-8 with \n line ends out of the bytes of a text file, and says what it had to repair.
func decode(path string, data []byte) (string, []string, error) {
	data = fromUTF16(data)
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	text, bad := repair(data)
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	text, controls := dropControls(text)
	// A binary file under a text name is a mistake worth stopping for; a few stray bytes are not.
	if n := len(data); n > 0 && (bad+controls)*10 > n {
		return "", nil, inputError(path, "is not a text file", "leave it out of documents, or save it as UTF-8 text")
	}
	var warnings []string
	if bad > 0 {
		warnings = append(warnings, fmt.Sprintf("%d invalid UTF-8 %s replaced by U+FFFD", bad, plural(bad, "byte was", "bytes were")))
	}
	if controls > 0 {
		warnings = append(warnings, fmt.Sprintf("%d control %s dropped", controls, plural(controls, "character was", "characters were")))
	}
	return text, warnings, nil
}

// repair replaces each invalid byte by U+FFFD and counts them.
func repair(data []byte) (string, int) {
	if utf8.Valid(data) {
		return string(data), 0
	}
	var b strings.Builder
	b.Grow(len(data) + len(data)/8)
	bad := 0
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			bad++
		}
		b.WriteRune(r)
		data = data[n:]
	}
	return b.String(), bad
}

// dropControls removes control characters that are not white space; they mean nothing in text and break terminals.
func dropControls(s string) (string, int) {
	dropped := 0
	clean := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' && r != '\f' && r != '\v' || r >= 0x7f && r < 0xa0 && r != 0x85 {
			dropped++
			return -1
		}
		return r
	}, s)
	return clean, dropped
}

// fromUTF16 decodes data that starts with a UTF-16 byte order mark.
func fromUTF16(data []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return data
	}
	data = data[2:]
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
