package govern

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/rung-dev/rung"
)

// ErasedFile is the list of what was erased. It stands beside dataset.yaml, and a copy in the dataset's folder: whoever builds again from
// raw files that still hold a person's rows leaves them out.
const ErasedFile = "erased.jsonl"

// Mark is what a line of the list is about.
type Mark string

// The marks. A row is erased when one of them is there.
const (
	MarkPerson Mark = "person" // all rows of a person: the source's key of them
	MarkID     Mark = "id"     // a row by its id
	MarkRaw    Mark = "raw"    // a row by its digest as it stood in the raw file
	MarkText   Mark = "text"   // rows that say the same, capitals, punctuation and spaces apart
	MarkPhrase Mark = "phrase" // rows in which a name or an address stands
	MarkNumber Mark = "number" // rows in which a number stands, however it is grouped: phones, accounts
)

// Tombstones are a list of erased rows. It holds no content: each line is an HMAC-SHA-256 under a random key of the file's own, so that two
// lists do not compare. Who has the list can still try values on it one by one; it is for the owner of the data, as the data are.
type Tombstones struct {
	salt  []byte
	marks map[string]bool // kind and digest
	lines []tombstone
	words map[int]bool // lengths of phrases in words
	nums  bool
}

// tombstone is a line of the list. The first has the salt alone.
type tombstone struct {
	Salt   string `json:"salt,omitempty"`
	Mark   Mark   `json:"mark,omitempty"`
	Digest string `json:"digest,omitempty"`
	Words  int    `json:"words,omitempty"` // of a phrase
	On     string `json:"on,omitempty"`    // the day, YYYY-MM-DD
	Why    string `json:"why,omitempty"`
}

const (
	maxTombstone  = 4 << 10
	maxTombstones = 10_000_000
)

// OpenTombstones reads a list. Where there is none it is empty; a list that cannot be read is a CodeInput, since building without it would
// bring back what was erased.
func OpenTombstones(path string) (*Tombstones, error) {
	t := &Tombstones{marks: map[string]bool{}, words: map[int]bool{}}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, badList(path, 0, "cannot be read: "+err.Error(), err)
	}
	defer func() { _ = f.Close() }() // it was only read
	return t, t.read(path, f)
}

func badList(path string, line int, what string, err error) error {
	if line > 0 {
		path = fmt.Sprintf("%s:%d", path, line)
	}
	return &rung.Error{Code: rung.CodeInput, Place: path, What: "the list of erased rows " + what, Do: "restore it: without it erased rows would come back", Err: err}
}

func (t *Tombstones) read(path string, r io.Reader) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 4096), maxTombstone)
	n := 0
	for in.Scan() {
		n++
		var l tombstone
		if err := json.Unmarshal(in.Bytes(), &l); err != nil || n > maxTombstones {
			return badList(path, n, "has a line that is none of it", err)
		}
		if n == 1 {
			salt, err := hex.DecodeString(l.Salt)
			if err != nil || len(salt) != sha256.Size {
				return badList(path, n, "does not begin with its salt", err)
			}
			t.salt = salt
			continue
		}
		if len(l.Digest) != 2*sha256.Size || l.Mark == "" {
			return badList(path, n, "has a line that is none of it", nil)
		}
		t.keep(l)
	}
	if err := in.Err(); err != nil {
		return badList(path, n+1, "cannot be read: "+err.Error(), err)
	}
	return nil
}

func (t *Tombstones) keep(l tombstone) bool {
	key := string(l.Mark) + l.Digest
	if t.marks[key] {
		return false
	}
	t.marks[key] = true
	t.lines = append(t.lines, l)
	switch l.Mark {
	case MarkPhrase:
		t.words[l.Words] = true
	case MarkNumber:
		t.nums = true
	}
	return true
}

// Len is the number of marks.
func (t *Tombstones) Len() int { return len(t.lines) }

// Digest names the list by its content, whatever the order and the days. It is empty for an empty list.
func (t *Tombstones) Digest() rung.Digest {
	if len(t.lines) == 0 {
		return ""
	}
	keys := make([]string, 0, len(t.marks)+1)
	for key := range t.marks {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return rung.DigestOf(append(keys, hex.EncodeToString(t.salt)))
}

func (t *Tombstones) digest(m Mark, value string) string {
	mac := hmac.New(sha256.New, t.salt)
	_, _ = mac.Write([]byte(string(m) + "\x00" + value)) // a hash never fails
	return hex.EncodeToString(mac.Sum(nil))
}

func (t *Tombstones) has(m Mark, value string) bool {
	return value != "" && t.marks[string(m)+t.digest(m, value)]
}

// Add puts a value on the list, and says whether it was not there. Values that say nothing, such as a number of fewer than five digits, are
// refused: they would take out rows of others.
func (t *Tombstones) Add(m Mark, value, day, why string) bool {
	if value = canonicalMark(m, value); value == "" {
		return false
	}
	if t.salt == nil {
		t.salt = make([]byte, sha256.Size)
		_, _ = rand.Read(t.salt) // it never fails
	}
	l := tombstone{Mark: m, Digest: t.digest(m, value), On: day, Why: why}
	if m == MarkPhrase {
		l.Words = len(strings.Fields(value))
	}
	return t.keep(l)
}

// minDigits is the fewest digits of a number that is looked for; maxWords the most words of a phrase.
const (
	minDigits = 5
	maxWords  = 12
)

func canonicalMark(m Mark, value string) string {
	switch m {
	case MarkText:
		return Flat(value)
	case MarkPhrase:
		if value = Flat(value); len(strings.Fields(value)) > maxWords || len(value) < 3 {
			return ""
		}
	case MarkNumber:
		if value = digits(value); len(value) < minDigits {
			return ""
		}
	}
	return value
}

// Erased says whether a row, as it was read from a raw file whose row has the digest raw, is on the list, and by which mark.
func (t *Tombstones) Erased(row *rung.DatasetRow, raw rung.Digest) (Mark, bool) {
	if len(t.lines) == 0 {
		return "", false
	}
	switch {
	case t.has(MarkPerson, row.Person):
		return MarkPerson, true
	case t.has(MarkID, row.ID):
		return MarkID, true
	case t.has(MarkRaw, string(raw)):
		return MarkRaw, true
	}
	text := RowText(row)
	flat := Flat(text)
	switch {
	case t.has(MarkText, flat):
		return MarkText, true
	case t.phrase(strings.Fields(flat)):
		return MarkPhrase, true
	case t.number(text):
		return MarkNumber, true
	}
	return "", false
}

func (t *Tombstones) phrase(words []string) bool {
	for n := range t.words {
		for i := 0; i+n <= len(words); i++ {
			if t.has(MarkPhrase, strings.Join(words[i:i+n], " ")) {
				return true
			}
		}
	}
	return false
}

func (t *Tombstones) number(text string) bool {
	if !t.nums {
		return false
	}
	for _, run := range Numbers(text) {
		if t.has(MarkNumber, run) {
			return true
		}
	}
	return false
}

// Save writes the list, whole or not at all, readable by the user only.
func (t *Tombstones) Save(path string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, l := range append([]tombstone{{Salt: hex.EncodeToString(t.salt)}}, t.lines...) {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return WriteWhole(path, b.Bytes(), 0o600)
}

// WriteWhole writes a file under another name, has the disk keep it, and puts it in place, so that there is never half of it.
func WriteWhole(path string, content []byte, mode fs.FileMode) (err error) {
	failed := func(err error) error {
		return &rung.Error{Code: rung.CodeStore, Place: path, What: "cannot be written: " + err.Error(), Do: "make the folder writable and free some space, and run it again", Err: err}
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return failed(err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone where it was put in place
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

// RowText is what a row says: the texts and numbers of its input and its outputs, each on a line.
func RowText(row *rung.DatasetRow) string {
	var b strings.Builder
	for _, raw := range append([]json.RawMessage{row.Input, row.Output}, row.Alternatives...) {
		b.WriteString(Texts(raw))
	}
	return b.String()
}

// Texts are the texts and numbers of a JSON value, keys left out, each on a line; what is no JSON, as it is.
func Texts(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		// An index has its JSON behind a few bytes of its own.
		if at := bytes.IndexByte(raw[:min(len(raw), 64)], '{'); at > 0 && json.NewDecoder(bytes.NewReader(raw[at:])).Decode(&v) == nil {
			return string(raw[:at]) + Texts(raw[at:])
		}
		return string(raw)
	}
	var b strings.Builder
	writeTexts(&b, v)
	return b.String()
}

func writeTexts(b *strings.Builder, v any) {
	switch v := v.(type) {
	case string:
		b.WriteString(v + "\n")
	case json.Number:
		b.WriteString(v.String() + "\n")
	case []any:
		for _, item := range v {
			writeTexts(b, item)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			writeTexts(b, v[key])
		}
	}
}

// Flat is a text in the form in which texts are compared: lower case, words with one space between them, and of other signs only those that
// stand within a word, as in an address.
func Flat(text string) string {
	words := strings.Fields(strings.ToLower(text))
	out := words[:0]
	for _, w := range words {
		if w = strings.TrimFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }); w != "" {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

// digits are those of a text. Zeros in front say how to dial and not whom.
func digits(text string) string {
	return strings.TrimLeft(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text), "0")
}

// Numbers are the numbers of a text, without what groups their digits: spaces, points, dashes, slashes and brackets. Of a group of digits that
// follow each other so, every run that begins at a group's edge and ends at one counts, since nobody can say where one number ends.
func Numbers(text string) []string {
	var out []string
	var groups []string
	flush := func() {
		for i := range groups {
			run := ""
			for _, g := range groups[i:min(len(groups), i+8)] {
				run += g
				if bare := strings.TrimLeft(run, "0"); len(bare) >= minDigits {
					out = append(out, bare)
				}
			}
		}
		groups = groups[:0]
	}
	at, between := -1, 0
	for i := 0; i <= len(text); i++ {
		digit := i < len(text) && text[i] >= '0' && text[i] <= '9'
		switch {
		case digit && at < 0:
			at = i
		case !digit && at >= 0:
			groups, at, between = append(groups, text[at:i]), -1, 0
		}
		if digit || i == len(text) {
			continue
		}
		if between++; between > 3 || !strings.ContainsRune(" .-/()+\u00a0", rune(text[i])) {
			flush()
		}
	}
	flush()
	return out
}
