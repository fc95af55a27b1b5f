package formats

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/goccy/go-yaml"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/records"
)

const (
	maxFolder = 10_000  // files that are read of a folder of data
	maxPairs  = 1 << 20 // files of a folder of prompts and answers
	maxHead   = 8 << 20 // bytes of dataset_info.json and the like
)

// one is a file of a folder.
type one struct {
	path  string
	split rung.Split
	names map[string][]string
}

// folder reads a folder: one of Hugging Face in each of its layouts, a dataset of rung, prompts and answers as plain files, or data files.
func (s *session) folder(path string) error {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(path, name))
		return err == nil
	}
	var files []one
	var err error
	switch {
	case s.o.Format == Folder:
		return s.pairs(path)
	case has("dataset_dict.json"):
		files, err = savedSplits(path)
	case has("state.json") && has("dataset_info.json"):
		files, err = saved(path, "")
	case has("dataset.json"):
		files, err = ours(path)
	default:
		files, err = s.hub(path)
	}
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return s.pairs(path)
	}
	for _, f := range files {
		if err := s.file(f.path, f.split, f.names); err != nil {
			return err
		}
	}
	return nil
}

// readJSON reads a small file that describes a folder.
func readJSON(path string, into any) error {
	b, err := readHead(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: path, What: "is not JSON: " + err.Error(), Do: "get the data set again", Err: err}
	}
	return nil
}

func readHead(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, records.Unreadable(path, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxHead+1))
	if err != nil {
		return nil, records.Unreadable(path, err)
	}
	if len(b) > maxHead {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: fmt.Sprintf("is larger than %d MiB", maxHead>>20), Do: "get the data set again"}
	}
	return b, nil
}

// inside is a path in a folder by a name that a file gives; one that leads out is refused.
func inside(folder, name string) (string, error) {
	if !filepath.IsLocal(name) {
		return "", &rung.Error{Code: rung.CodeInput, Place: folder, What: fmt.Sprintf("the folder names a file that lies outside of it: %q", name), Do: "get the data set again"}
	}
	return filepath.Join(folder, name), nil
}

// savedSplits is a DatasetDict of save_to_disk: a folder for each split.
func savedSplits(path string) ([]one, error) {
	var d struct{ Splits []string }
	if err := readJSON(filepath.Join(path, "dataset_dict.json"), &d); err != nil {
		return nil, err
	}
	var out []one
	for _, name := range d.Splits {
		sub, err := inside(path, name)
		if err != nil {
			return nil, err
		}
		split, _ := splitOf(name)
		files, err := saved(sub, split)
		if err != nil {
			return nil, err
		}
		out = append(out, files...)
	}
	return out, nil
}

// saved is a Dataset of save_to_disk: state.json names its Arrow files.
func saved(path string, split rung.Split) ([]one, error) {
	var state struct {
		Files []struct {
			Filename string `json:"filename"`
		} `json:"_data_files"`
		Split string `json:"_split"`
	}
	if err := readJSON(filepath.Join(path, "state.json"), &state); err != nil {
		return nil, err
	}
	if split == "" {
		split, _ = splitOf(state.Split)
	}
	info, err := readHead(filepath.Join(path, "dataset_info.json"))
	if err != nil {
		return nil, err
	}
	names := records.ClassNames(info)
	var out []one
	for _, f := range state.Files {
		p, err := inside(path, f.Filename)
		if err != nil {
			return nil, err
		}
		out = append(out, one{p, split, names})
	}
	return out, nil
}

// ours is a dataset that rung built.
func ours(path string) ([]one, error) {
	var d rung.Dataset
	if err := readJSON(filepath.Join(path, "dataset.json"), &d); err != nil {
		return nil, err
	}
	var out []one
	for _, s := range d.Splits {
		p, err := inside(path, s.File)
		if err != nil {
			return nil, err
		}
		out = append(out, one{p, s.Split, nil})
	}
	return out, nil
}

var endings = []string{".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".gz", ".zst", ".bz2", ".zip"}

// hub is a folder as the Hugging Face hub has them: README.md says under configs which files are which split, or their names do.
func (s *session) hub(path string) ([]one, error) {
	names, passed, err := dataFiles(path)
	if err != nil {
		return nil, err
	}
	if len(names) > 0 { // else it may be prompts and answers
		s.report.Passed = append(s.report.Passed, passed...)
	}
	head, err := readme(path)
	if err != nil {
		return nil, err
	}
	classes := head.classes()
	var out []one
	if c := head.config(); c != nil {
		for _, d := range c.dataFiles() {
			split, _ := splitOf(d.split)
			for _, name := range names {
				rel, err := filepath.Rel(path, name)
				if err == nil && doublestar.MatchUnvalidated(strings.TrimPrefix(d.pattern, "./"), filepath.ToSlash(rel)) {
					out = append(out, one{name, split, classes})
				}
			}
		}
		if len(out) == 0 {
			return nil, &rung.Error{Code: rung.CodeInput, Place: filepath.Join(path, "README.md"), What: "its configs name no file that is there", Do: "correct data_files, or name the data files themselves"}
		}
		return out, nil
	}
	for _, name := range names {
		rel, err := filepath.Rel(path, name)
		if err != nil {
			return nil, records.Unreadable(name, err)
		}
		out = append(out, one{name, splitOfName(rel), classes})
	}
	return out, nil
}

// noData reports a file that describes data, or that rung wrote of what is in no split.
func noData(name string) bool {
	return slices.Contains([]string{"dataset_info.json", "dataset_infos.json", "state.json", "package.json"}, name) || rung.WrittenBeside(name)
}

// promptfooNames are the names of promptfoo's configurations, whose tests are rows.
var promptfooNames = []string{"promptfooconfig", "promptfoo", "promptfoo.config"}

// promptfooConfig reports a configuration of promptfoo that holds tests itself.
func promptfooConfig(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	if ext != ".yaml" && ext != ".yml" || !slices.Contains(promptfooNames, strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))) {
		return false
	}
	b, err := readHead(path)
	if err != nil {
		return false
	}
	var c struct {
		Tests []any `yaml:"tests"`
	}
	return yaml.Unmarshal(b, &c) == nil && len(c.Tests) > 0
}

// mayHoldRows reports a file of a folder that is not read though it may hold rows, so that it is named.
func mayHoldRows(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".txt", ".tab", ".xlsx", ".xz"}, strings.ToLower(filepath.Ext(name))) || noData(name) && rung.WrittenBeside(name)
}

// dataFiles lists the files of data in a folder, sorted, and those that are passed over though they may hold rows. Links to files are followed,
// as the hub's cache has them, links to folders are not.
func dataFiles(path string) (out, passed []string, err error) {
	err = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return records.Unreadable(p, err)
		}
		hidden := strings.HasPrefix(e.Name(), ".") && p != path
		switch {
		case e.IsDir() && hidden:
			return filepath.SkipDir
		case e.IsDir() || hidden:
			return nil
		case !slices.Contains(endings, strings.ToLower(filepath.Ext(p))) && !promptfooConfig(p), noData(e.Name()):
			if mayHoldRows(e.Name()) && len(passed) < maxPassed {
				passed = append(passed, p)
			}
			return nil
		}
		info, err := os.Stat(p) // a cycle of links ends here
		if err != nil {
			return records.Unreadable(p, err)
		}
		if info.IsDir() {
			return nil
		}
		if out = append(out, p); len(out) > maxFolder {
			return &rung.Error{Code: rung.CodeInput, Place: path, What: fmt.Sprintf("the folder holds more than %d files", maxFolder), Do: "name a folder of data"}
		}
		return nil
	})
	slices.Sort(out)
	return out, passed, err
}

// maxPassed is how many files that were passed over are named.
const maxPassed = 100

// splitOfName finds the split in the words of a file's name, or in the folder it lies in where that is its whole name:
// train-00000-of-00002.parquet, test/0.jsonl. Words within the name of a folder say nothing, since they name the project: my-test/mail.csv.
func splitOfName(name string) rung.Split {
	dir, base := filepath.Split(filepath.ToSlash(name))
	for _, word := range strings.FieldsFunc(base, func(c rune) bool { return strings.ContainsRune("-_. ", c) }) {
		if split, ok := splitOf(word); ok {
			return split
		}
	}
	split, _ := splitOf(filepath.Base(dir))
	return split
}

// card is what the head of a README.md says.
type card struct {
	Configs []config `yaml:"configs"`
	Info    any      `yaml:"dataset_info"`
}

type config struct {
	Name    string `yaml:"config_name"`
	Default bool   `yaml:"default"`
	Data    any    `yaml:"data_files"`
}

func readme(path string) (*card, error) {
	name := filepath.Join(path, "README.md")
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return &card{}, nil
	}
	b, err := readHead(name)
	if err != nil {
		return nil, err
	}
	text := strings.ReplaceAll(strings.TrimPrefix(string(b), "\ufeff"), "\r\n", "\n")
	head, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		return &card{}, nil
	}
	head, _, _ = strings.Cut(head, "\n---")
	c := &card{}
	if strings.Contains(head, "*") && strings.Contains(head, "&") || len(head) > 1<<20 {
		return c, nil // anchors: a head that needs them is not one of the hub's
	}
	if err := yaml.Unmarshal([]byte(head), c); err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: name, What: "its head is not the YAML of a dataset card: " + yaml.FormatError(err, false, false), Do: "correct it, or name the data files themselves", Err: err}
	}
	return c, nil
}

// config is the default one, or the first.
func (c *card) config() *config {
	for i := range c.Configs {
		if c.Configs[i].Default || c.Configs[i].Name == "default" {
			return &c.Configs[i]
		}
	}
	if len(c.Configs) > 0 && c.Configs[0].Data != nil {
		return &c.Configs[0]
	}
	return nil
}

type dataFile struct{ split, pattern string }

func (c *config) dataFiles() []dataFile {
	var out []dataFile
	add := func(split string, v any) {
		switch v := v.(type) {
		case string:
			out = append(out, dataFile{split, v})
		case []any:
			for _, p := range v {
				if text, ok := p.(string); ok {
					out = append(out, dataFile{split, text})
				}
			}
		}
	}
	list, ok := c.Data.([]any)
	if !ok {
		add("train", c.Data)
		return out
	}
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			add(fmt.Sprint(m["split"]), m["path"])
		} else {
			add("train", item)
		}
	}
	return out
}

// classes are the names of classes that dataset_info gives for columns.
func (c *card) classes() map[string][]string {
	info := c.Info
	if list, ok := info.([]any); ok && len(list) > 0 {
		info = list[0]
	}
	m, _ := info.(map[string]any)
	features, _ := m["features"].([]any)
	out := map[string][]string{}
	for _, f := range features {
		feature, _ := f.(map[string]any)
		dtype, _ := feature["dtype"].(map[string]any)
		label, _ := dtype["class_label"].(map[string]any)
		names, _ := label["names"].(map[string]any)
		if len(names) == 0 || len(names) > 1<<16 {
			continue
		}
		list := make([]string, len(names))
		for k, v := range names {
			var i int
			if _, err := fmt.Sscan(k, &i); err == nil && i >= 0 && i < len(list) {
				list[i] = fmt.Sprint(v)
			}
		}
		out[fmt.Sprint(feature["name"])] = list
	}
	return out
}
