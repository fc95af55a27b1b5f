package formats

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/charset"
	"github.com/rung-dev/rung/internal/records"
)

// pairs reads prompts and answers as plain files: NAME.prompt.EXT beside NAME.answer.EXT, or files of one name in the folders prompts and
// answers. One line end at the end of a file is no part of the text. A prompt without an answer is a row that has no output yet.
func (s *session) pairs(path string) error {
	prompts, answers, err := pairFiles(path)
	if err != nil {
		return err
	}
	if len(prompts) == 0 {
		return &rung.Error{Code: rung.CodeInput, Place: path, What: "the folder holds no data: no file that ends in " + strings.Join(endings[:6], ", ") + ", and no prompts and answers (NAME.prompt.txt and NAME.answer.txt, or files of one name in prompts/ and answers/)", Do: "name the data files themselves"}
	}
	keys := make([]string, 0, len(prompts))
	for k := range prompts {
		keys = append(keys, k)
	}
	for k := range answers {
		if prompts[k] == "" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	r := s.reading(&records.File{Name: path, Container: "folder", Encoding: charset.UTF8}, "")
	r.out.Format, r.out.Chosen, r.shape = Folder, []string{"input: text (the prompt)", "output: the answer"}, textShape{}
	var all strings.Builder
	for _, k := range keys {
		if err := s.pair(r, k, prompts[k], answers[k], &all); err != nil {
			return err
		}
	}
	r.f.Digest = rung.DigestBytes([]byte(all.String()))
	return r.finish()
}

func (s *session) pair(r *reading, key, prompt, answer string, all *strings.Builder) error {
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	if prompt == "" {
		return r.remove("unreadable", "an answer without a prompt: "+answer, []byte(key), at{line: 1})
	}
	var d draft
	var raw []byte
	for _, path := range []string{prompt, answer} {
		if path == "" {
			continue
		}
		text, bytes, repairs, err := readText(path, s.o.Encoding)
		if err != nil {
			return err
		}
		r.repaired(repairs, 1)
		for _, p := range repairs {
			d.changes = append(d.changes, string(p.Kind))
		}
		r.f.Bytes += int64(len(bytes))
		raw = append(raw, bytes...)
		fmt.Fprintf(all, "%s %s\n", path[len(r.f.Name):], rung.DigestBytes(bytes))
		if fixed, is := charset.Mend(text); is == charset.Mangled {
			p := charset.Differing(charset.Mojibake, text, fixed)
			r.repaired([]charset.Repair{p}, 1)
			d.changes, text = append(d.changes, string(p.Kind)), fixed
		}
		if path == prompt {
			d.row.Input = object("text", quote(text))
		} else {
			d.row.Output = quote(text)
		}
	}
	d.row.ID = key
	if m, ok := r.obeying(r.shape, Folder).(*mapped); ok {
		if err := m.one(&d); err != nil {
			return r.remove("unreadable", err.Error(), raw, at{line: 1})
		}
	}
	file := r.f.Name
	r.f.Name = prompt
	err := r.give(&d, raw, at{line: 1}, nil)
	r.f.Name = file
	return err
}

// readText reads a file of one text.
func readText(path, encoding string) (text string, raw []byte, repairs []charset.Repair, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, nil, records.Unreadable(path, err)
	}
	if !info.Mode().IsRegular() || info.Size() > records.MaxRow {
		return "", nil, nil, &rung.Error{Code: rung.CodeInput, Place: path, What: fmt.Sprintf("is no plain file of at most %d MiB", records.MaxRow>>20), Do: "take it out of the folder"}
	}
	if raw, err = os.ReadFile(path); err != nil {
		return "", nil, nil, records.Unreadable(path, err)
	}
	name := ""
	if encoding != "" {
		if name, err = charset.Canonical(encoding); err != nil {
			return "", nil, nil, &rung.Error{Code: rung.CodeUsage, What: err.Error(), Do: "write a name of the WHATWG Encoding Standard"}
		}
	}
	lines, err := charset.NewLines(strings.NewReader(string(raw)), name, records.MaxRow)
	if err != nil {
		return "", nil, nil, &rung.Error{Code: rung.CodeInput, Place: path, What: err.Error(), Do: "name it with --encoding", Err: err}
	}
	var b strings.Builder
	returns := 0
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", nil, nil, records.Unreadable(path, err)
		}
		if line.Number > 1 {
			b.WriteByte('\n')
		}
		t := strings.TrimSuffix(string(line.Text), "\r")
		returns += len(line.Text) - len(t)
		b.WriteString(t)
		if len(repairs) < 16 {
			repairs = append(repairs, line.Repairs...)
		}
	}
	if returns > 1 {
		repairs = append(repairs, charset.Repair{Kind: charset.LineEnds, Before: `\x0d\x0a`, After: `\x0a`})
	}
	return b.String(), raw, repairs, nil
}

var promptWords = []string{"prompt", "input", "question", "prompts", "inputs", "questions"}
var answerWords = []string{"answer", "output", "response", "completion", "answers", "outputs", "responses", "completions"}

// pairFiles finds prompts and answers by the name that they share.
func pairFiles(path string) (prompts, answers map[string]string, err error) {
	prompts, answers = map[string]string{}, map[string]string{}
	n := 0
	err = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return records.Unreadable(p, err)
		}
		if e.IsDir() {
			if strings.HasPrefix(e.Name(), ".") && p != path {
				return filepath.SkipDir
			}
			return nil
		}
		if n++; n > maxPairs {
			return &rung.Error{Code: rung.CodeInput, Place: path, What: fmt.Sprintf("the folder holds more than %d files", maxPairs), Do: "name a folder of data"}
		}
		rel, err := filepath.Rel(path, p)
		if err != nil {
			return records.Unreadable(p, err)
		}
		key, word := pairKey(filepath.ToSlash(rel))
		into := prompts
		if slices.Contains(answerWords, word) {
			into = answers
		} else if !slices.Contains(promptWords, word) {
			return nil
		}
		if other := into[key]; other != "" {
			return &rung.Error{Code: rung.CodeInput, Place: p, What: "is a second file for " + key + " beside " + other, Do: "keep one of them"}
		}
		into[key] = p
		return nil
	})
	return prompts, answers, err
}

// pairKey is what a prompt and its answer share: the path without the ending and without the word that tells them apart.
func pairKey(rel string) (key, word string) {
	key = strings.TrimSuffix(rel, filepath.Ext(rel))
	if w := strings.TrimPrefix(filepath.Ext(key), "."); slices.Contains(promptWords, w) || slices.Contains(answerWords, w) {
		return strings.TrimSuffix(key, "."+w), w
	}
	first, rest, ok := strings.Cut(key, "/")
	if !ok {
		return key, ""
	}
	return cmp.Or(rest, key), first
}
