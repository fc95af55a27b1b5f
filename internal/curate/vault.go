package curate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/task"
)

// A vault keeps the rows of a dataset as they were before personal data was replaced in them. It is made in two parts: the step pii seals each
// row that it changes, under the row's id, into a working file; when the folder is written, those that are still there go into the vault
// under the digest of the row as the dataset has it. So no text that was taken out lies open anywhere, and what a later step removed is in
// no vault. It never lies in the folder: who publishes that must not publish the vault with it.

// vaultWork is the name of the working file, which is sealed under the same key.
const vaultWork = "pii.vault"

// checkVault refuses a vault that would lie in the dataset or among the raw files.
func (b *build) checkVault(f *task.DescriptionFile) error {
	path := b.d.PII.Vault
	if path == "" {
		return nil
	}
	at := resolved(path)
	inside := func(dir string) bool {
		dir = resolved(dir)
		return at == dir || strings.HasPrefix(at, dir+string(filepath.Separator))
	}
	if inside(b.d.Out) {
		return f.Fault("pii.vault", fmt.Sprintf("the vault (%s) would lie in the folder of the dataset (%s), and whoever gets the one would get the other", b.shown(path), b.shown(b.d.Out)),
			"name a file elsewhere, best where only those who may undo the replacing can read it")
	}
	for i := range b.d.Sources {
		for _, raw := range b.d.Sources[i].Paths {
			if inside(raw) {
				return f.Fault("pii.vault", fmt.Sprintf("the vault (%s) would lie among the raw files (%s)", b.shown(path), b.shown(raw)), "name a file elsewhere")
			}
		}
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return f.Fault("pii.vault", b.shown(path)+" is there, and is no file", "name another")
	}
	return nil
}

// resolved is a path with its links followed, as far as it is there.
func resolved(path string) string {
	if out, err := filepath.EvalSymlinks(path); err == nil {
		return out
	}
	dir := filepath.Dir(path)
	if dir == path {
		return path
	}
	return filepath.Join(resolved(dir), filepath.Base(path))
}

// sealing is the working file of the step pii.
type sealing struct {
	out *rows.Output
	w   *pii.VaultWriter
}

// seal begins the working file; nil where no vault is asked for.
func (b *build) seal() (*sealing, error) {
	if b.d.PII.Vault == "" {
		return nil, nil
	}
	out, err := rows.Create(filepath.Join(b.work.dir, vaultWork))
	if err != nil {
		return nil, err
	}
	w, err := pii.NewVault(out, b.privacy.secret)
	if err != nil {
		out.Abandon()
		return nil, err
	}
	return &sealing{out, w}, nil
}

// put keeps a row as it was under its id.
func (s *sealing) put(id string, was []byte) error {
	if s == nil {
		return nil
	}
	if err := s.w.Put([]byte(id), was); err != nil {
		return rows.Unwritable(vaultWork, err)
	}
	return nil
}

func (s *sealing) finish() error {
	if s == nil {
		return nil
	}
	if err := s.w.Close(); err != nil {
		return rows.Unwritable(vaultWork, err)
	}
	return s.out.Finish()
}

func (s *sealing) abandon() {
	if s != nil {
		s.out.Abandon()
	}
}

// vault is the vault while the folder is written.
type vault struct {
	path string
	key  []byte
	from *os.File
	in   *pii.VaultReader
	out  *rows.Output
	w    *pii.VaultWriter
	all  contentsOf
	line bytes.Buffer
}

// contentsOf says what a vault holds, in whatever order: the sum of its records' digests, and how many they are.
type contentsOf struct {
	sum [4]uint64
	n   int
}

func (c *contentsOf) add(now [32]byte, was []byte) {
	one := sha256.Sum256(append(now[:], was...))
	for i := range c.sum {
		c.sum[i] += binary.BigEndian.Uint64(one[8*i:])
	}
	c.n++
}

// openVault begins the vault; nil where none is asked for.
func (b *build) openVault() (v *vault, err error) {
	if b.d.PII.Vault == "" {
		return nil, nil
	}
	v = &vault{path: b.d.PII.Vault, key: b.privacy.secret}
	if v.from, err = os.Open(filepath.Join(b.work.dir, vaultWork)); err != nil {
		return nil, unreadable(vaultWork, err)
	}
	if v.in, err = pii.ReadVault(v.from, v.key); err == nil {
		v.out, err = b.createVault()
	}
	if err == nil {
		v.w, err = pii.NewVault(v.out, v.key)
	}
	if err != nil {
		v.abandon()
		return nil, err
	}
	return v, nil
}

// createVault makes the file that becomes the vault; a dry run leaves none.
func (b *build) createVault() (*rows.Output, error) {
	if b.o.DryRun {
		return rows.Create("")
	}
	if err := os.MkdirAll(filepath.Dir(b.d.PII.Vault), 0o700); err != nil {
		return nil, unwritable(filepath.Dir(b.d.PII.Vault), err)
	}
	return rows.Create(b.d.PII.Vault)
}

// row enters a row of the dataset, if the step pii has changed it. The rows come in the order of that step, and some of them no more.
func (v *vault) row(row *rung.DatasetRow, now, origin []byte) error {
	if v == nil {
		return nil
	}
	o, err := originOf(origin)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(o.Changes, func(c string) bool { return strings.HasPrefix(c, StepPII+": ") }) {
		return nil
	}
	want := sha256.Sum256([]byte(row.ID))
	for {
		id, was, err := v.in.Next()
		if errors.Is(err, io.EOF) {
			return &rung.Error{Code: rung.CodeInternal, What: "the vault's working file lacks the row " + row.ID, Do: "build again; if it comes again, report it"}
		}
		if err != nil {
			return err
		}
		if id != want {
			continue // a later step took it out
		}
		before, err := rowOf(was)
		if err != nil {
			return err
		}
		before.Split = row.Split
		line, err := encode(&v.line, before)
		if err != nil {
			return err
		}
		v.all.add(sha256.Sum256(now), line)
		if err := v.w.Put(now, line); err != nil {
			return rows.Unwritable(v.path, err)
		}
		return nil
	}
}

// close ends what is written, under another name yet.
func (v *vault) close() error {
	if v == nil {
		return nil
	}
	if err := v.w.Close(); err != nil {
		return rows.Unwritable(v.path, err)
	}
	return nil
}

func (v *vault) abandon() {
	if v == nil {
		return
	}
	_ = v.from.Close()
	if v.out != nil {
		v.out.Abandon()
	}
}

// there says whether the vault's file is there, and whether it holds what the new one does.
func (v *vault) there() (exists, same bool, err error) {
	f, err := os.Open(v.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return true, false, unreadable(v.path, err)
	}
	defer func() { _ = f.Close() }()
	in, err := pii.ReadVault(f, v.key)
	var all contentsOf
	for err == nil {
		var now [32]byte
		var was []byte
		if now, was, err = in.Next(); err == nil {
			all.add(now, was)
		}
	}
	return true, errors.Is(err, io.EOF) && all == v.all, nil // what cannot be opened is another vault
}

// free refuses to write over another vault: with it, what it keeps would be lost.
func (v *vault) free(replace bool) error {
	if v == nil || replace {
		return nil
	}
	exists, same, err := v.there()
	if err != nil || !exists || same {
		return err
	}
	return &rung.Error{Code: rung.CodeConflict, Place: v.path, What: "there is a file that is not the vault of this dataset under this key", Do: "name another with pii.vault, or build with --replace, which keeps the old one beside it"}
}

// place puts the vault where it belongs, once its dataset is in its own place. Another file that is there is kept under another name.
func (v *vault) place() (kept string, err error) {
	if v == nil {
		return "", nil
	}
	exists, same, err := v.there()
	if err != nil || same {
		return "", err
	}
	if exists {
		if kept, err = freeName(v.path + "@replaced"); err != nil {
			return "", err
		}
		if err := move(v.path, kept); err != nil {
			return "", err
		}
	}
	if err := v.out.Finish(); err != nil {
		return kept, err
	}
	if err := os.Chmod(v.path, 0o600); err != nil {
		return kept, unwritable(v.path, err)
	}
	return kept, nil
}
