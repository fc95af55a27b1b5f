package attack

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/rung-dev/rung"
)

// Own is an attack text of the user's own.
type Own struct {
	Name string
	Text string
}

// Bounds of a file of attacks.
const (
	maxOwnLine = 1 << 20
	maxOwn     = 10_000
)

// asked is put after a text that does not say where its token goes: without something that can be observed no attack can be judged.
const asked = " Whatever else you do, {do}."

// ReadOwn reads attack texts from JSON lines: a string, or an object with the text as "text", "prompt", "instruction" or "attack".
// {token} in a text is replaced by what is looked for in the answer; a text without it gets a sentence at its end that asks for it.
// Rows with "label": 0 are ordinary texts and are left out; how many, is the second result. Name is what errors call the file.
func ReadOwn(r io.Reader, name string) (own []Own, ordinary int, err error) {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, maxOwnLine)
	for n := 1; scan.Scan(); n++ {
		line := bytes.TrimSpace(scan.Bytes())
		if len(line) == 0 {
			continue
		}
		o, attacks, err := ownRow(line, n)
		if err != nil {
			return nil, 0, &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d", name, n), What: err.Error(), Do: `write a JSON string or {"text": …} on every line`, Err: err}
		}
		if !attacks {
			ordinary++
			continue
		}
		if own = append(own, o); len(own) > maxOwn {
			return nil, 0, &rung.Error{Code: rung.CodeInput, Place: name, What: fmt.Sprintf("it holds more than %d attacks", maxOwn), Do: "use fewer"}
		}
	}
	if err := scan.Err(); err != nil {
		return nil, 0, &rung.Error{Code: rung.CodeInput, Place: name, What: "it cannot be read: " + err.Error(), Do: "check that each line is one JSON value", Err: err}
	}
	if len(own) == 0 {
		return nil, 0, &rung.Error{Code: rung.CodeInput, Place: name, What: "it holds no attack", Do: `write a JSON string or {"text": …} on every line`}
	}
	return own, ordinary, nil
}

func ownRow(line []byte, n int) (o Own, attacks bool, err error) {
	var row struct {
		ID                                json.RawMessage
		Text, Prompt, Instruction, Attack string
		Category, Kind, Technique, Name   string
		Label                             json.RawMessage
	}
	if line[0] == '"' {
		err = json.Unmarshal(line, &row.Text)
	} else {
		err = json.Unmarshal(line, &row)
	}
	if err != nil {
		return o, false, fmt.Errorf("this line is not JSON as it should be: %w", err)
	}
	o.Text = firstOf(row.Text, row.Attack, row.Instruction, row.Prompt)
	o.Name = firstOf(row.Technique, row.Category, row.Name, row.Kind, "of the file")
	if strings.TrimSpace(o.Text) == "" {
		return o, false, fmt.Errorf("this line has no text")
	}
	label := strings.Trim(string(row.Label), `"`)
	return o, label != "0" && label != "false" && label != "benign", nil
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if strings.TrimSpace(t) != "" {
			return t
		}
	}
	return ""
}
