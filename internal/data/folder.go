package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rung-dev/rung"
)

// ManifestFile is what makes a folder a dataset.
const ManifestFile = "dataset.json"

// maxManifest bounds it: a dataset of a hundred thousand raw files has one of some 20 MB.
const maxManifest = 64 << 20

// Folder is a dataset as it lies on the disk.
type Folder struct {
	Dir     string
	Dataset *rung.Dataset
}

// IsFolder reports whether a path is the folder of a dataset, or its dataset.json.
func IsFolder(path string) bool {
	if filepath.Base(path) == ManifestFile {
		path = filepath.Dir(path)
	}
	info, err := os.Stat(filepath.Join(path, ManifestFile))
	return err == nil && info.Mode().IsRegular()
}

// OpenFolder reads what a dataset says of itself, and holds it to its own digest. The files are not read: see Verify. A folder without a
// dataset is a CodeNotFound.
func OpenFolder(path string) (*Folder, error) {
	if filepath.Base(path) == ManifestFile {
		path = filepath.Dir(path)
	}
	place := shownPath(filepath.Join(path, ManifestFile))
	raw, err := readManifest(path)
	if err != nil {
		return nil, err
	}
	d := &rung.Dataset{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(d); err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: place, What: "it is no description of a dataset: " + err.Error(), Do: "build the dataset again: rung data build", Err: err}
	}
	f := &Folder{Dir: path, Dataset: d}
	for _, name := range f.files() {
		if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
			return nil, &rung.Error{Code: rung.CodeInput, Place: place, What: fmt.Sprintf("it names the file %q, which lies elsewhere", name), Do: "take the dataset from whom you trust, or build it again"}
		}
	}
	if sum, err := d.Sum(); err != nil || sum != d.Digest {
		return nil, &rung.Error{Code: rung.CodeInput, Place: place, What: fmt.Sprintf("it was changed after the dataset was built: its content has the digest %s, and it says %s", sum.Short(), d.Digest.Short()),
			Do: "take back the change; a dataset never changes: rung data build makes a new one", Err: err}
	}
	return f, nil
}

func readManifest(dir string) ([]byte, error) {
	file := filepath.Join(dir, ManifestFile)
	place := shownPath(file)
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &rung.Error{Code: rung.CodeNotFound, Place: shownPath(dir), What: "there is no dataset here (no dataset.json)", Do: "name the folder that rung data build made", Err: err}
	}
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: place, What: "it cannot be read: " + err.Error(), Do: "check the path and its rights", Err: err}
	}
	if !info.Mode().IsRegular() || info.Size() > maxManifest {
		return nil, &rung.Error{Code: rung.CodeInput, Place: place, What: "it is no description of a dataset", Do: "name the folder that rung data build made"}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: place, What: "it cannot be read: " + err.Error(), Do: "check the path and its rights", Err: err}
	}
	return raw, nil
}

func (f *Folder) files() []string {
	var out []string
	for _, s := range f.Dataset.Splits {
		out = append(out, s.File)
	}
	for _, o := range f.Dataset.Files {
		out = append(out, o.File)
	}
	return out
}

// Path is where a file of the dataset lies.
func (f *Folder) Path(file string) string { return filepath.Join(f.Dir, file) }

// Verify holds the files to their digests. All that differ are told at once.
func (f *Folder) Verify() error {
	var errs rung.Errors
	check := func(file string, want rung.Digest) {
		got, err := digestOf(f.Path(file))
		switch {
		case err != nil:
			errs = append(errs, &rung.Error{Code: rung.CodeInput, Place: shownPath(f.Path(file)), What: "the file of the dataset cannot be read: " + err.Error(), Do: "restore it, or build the dataset again: rung data build", Err: err})
		case got != want:
			errs = append(errs, &rung.Error{Code: rung.CodeInput, Place: shownPath(f.Path(file)), What: fmt.Sprintf("the file was changed after the dataset was built: its digest is %s, and dataset.json says %s", got.Short(), want.Short()),
				Do: "restore it; a dataset never changes: change the raw files or the steps and build anew"})
		}
	}
	for _, s := range f.Dataset.Splits {
		check(s.File, s.Digest)
	}
	for _, o := range f.Dataset.Files {
		check(o.File, o.Digest)
	}
	return errs.Or()
}

func digestOf(path string) (rung.Digest, error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }() // it was only read
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", err
	}
	return rung.Digest(hex.EncodeToString(h.Sum(nil))), nil
}
