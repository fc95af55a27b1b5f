package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rung-dev/rung/internal/pii"
)

//go:embed presidio.py
var presidioScript string

const presidioVersion = "presidio-analyzer==2.2.366"

// theirKinds maps presidio's types to ours; what is not here is in no label of the data.
var theirKinds = map[string]pii.Type{"EMAIL_ADDRESS": pii.Email, "PHONE_NUMBER": pii.Phone, "CREDIT_CARD": pii.Card, "IBAN_CODE": pii.IBAN, "US_SSN": pii.SSN,
	"IP_ADDRESS": pii.IP, "URL": pii.URL, "DATE_TIME": pii.Date, "PERSON": pii.Person, "LOCATION": pii.Location, "NRP": pii.Nationality,
	"ORGANIZATION": pii.Organization, "US_DRIVER_LICENSE": pii.NationalID}

// besidePresidio measures presidio and this engine on the same sentences, in one run, on one core each. The model of names that is
// shipped saw these sentences: its time is measured here, and its F1 by the cross-fit.
func besidePresidio(o options) {
	rows := presidio(o.data)
	found, seconds, model := runPresidio(rows)
	theirs, forms := newBoard(presidioKinds), newBoard(presidioKinds)
	for i, l := range rows {
		theirs.add(l.template, l.spans, found[i])
		forms.add(l.template, l.spans, marks(formsOnly(), l.text))
	}
	theirs.print(fmt.Sprintf("%s with %s, %d sentences; half overlap", presidioVersion, model, len(rows)))
	forms.print("rung, what has a form alone; the same sentences")
	all, err := pii.New(pii.Options{})
	if err != nil {
		fatal(err)
	}
	peer := float64(len(rows)) / seconds
	fmt.Printf("sentences a second, one after another: presidio with %s %.0f\n", model, peer)
	for _, e := range []struct {
		name string
		e    *pii.Engine
	}{{"rung, what has a form alone", formsOnly()}, {"rung, all types", all}} {
		speed := speedOf(e.e, rows)
		fmt.Printf("  %-30s %8.0f  %6.0f times presidio in this run\n", e.name, speed, speed/peer)
	}
	fmt.Println("as recorded elsewhere on two cores: presidio with spaCy md 94 a second, span F1 .50; its patterns alone 684 a second, .22")
}

// speedOf is the median of nine rounds over all sentences, in sentences a second.
func speedOf(e *pii.Engine, rows []labelled) float64 {
	var rounds []float64
	for range 9 {
		start := time.Now()
		for _, l := range rows {
			e.Find(l.text)
		}
		rounds = append(rounds, float64(len(rows))/time.Since(start).Seconds())
	}
	return median(rounds)
}

func runPresidio(rows []labelled) (found [][]mark, seconds float64, model string) {
	var in, out bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, r := range rows {
		if err := enc.Encode(r.text); err != nil {
			fatal(err)
		}
	}
	cmd := exec.Command(presidioPython(), "-c", presidioScript)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, os.Stderr
	if err := cmd.Run(); err != nil {
		fatal("presidio: ", err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(rows)+1 {
		fatal("presidio answered ", len(lines), " lines for ", len(rows), " texts")
	}
	for i, line := range lines[:len(rows)] {
		var list [][]any
		if err := json.Unmarshal([]byte(line), &list); err != nil {
			fatal(err)
		}
		found = append(found, theirMarks(rows[i].text, list))
	}
	var end struct {
		Seconds float64
		Model   string
	}
	if err := json.Unmarshal([]byte(lines[len(rows)]), &end); err != nil {
		fatal(err)
	}
	return found, end.Seconds, end.Model
}

// theirMarks turns [type, start, end], counted in characters, into findings in bytes.
func theirMarks(text string, list [][]any) (out []mark) {
	at := offsets(text)
	for _, f := range list {
		if k := theirKinds[f[0].(string)]; k != "" {
			out = append(out, mark{k, at[int(f[1].(float64))], at[int(f[2].(float64))]})
		}
	}
	return out
}

// presidioPython makes a virtual environment in the user's cache, once.
func presidioPython() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		fatal(err)
	}
	dir := filepath.Join(cache, "rung-bench", strings.ReplaceAll(presidioVersion, "==", "-"))
	bin, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "done")
	if _, err := os.Stat(done); err == nil {
		return bin
	}
	for _, args := range [][]string{{"python3", "-m", "venv", dir}, {bin, "-m", "pip", "install", "--quiet", presidioVersion}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			fatal(args, ": ", err)
		}
	}
	if err := os.WriteFile(done, nil, 0o644); err != nil {
		fatal(err)
	}
	return bin
}
