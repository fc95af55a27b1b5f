package records

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/charset"
)

// Bounds of what compressed files expand to.
const (
	DefaultMaxExpanded = 64 << 30
	DefaultMaxRatio    = 200
	// ratioFrom is what a file may expand to at any ratio: small files do no harm.
	ratioFrom = 64 << 20
	// maxWindow bounds the memory of zstd, whose files ask for what they need.
	maxWindow = 128 << 20
)

func (o *Options) defaults() {
	if o.MaxExpanded <= 0 {
		o.MaxExpanded = DefaultMaxExpanded
	}
	if o.MaxRatio <= 0 {
		o.MaxRatio = DefaultMaxRatio
	}
}

// source is an open file.
type source struct {
	o    *Options
	name string
	f    *os.File
	size int64
	kind string // compression, or "parquet", "arrow", ""
	sum  hash.Hash
}

func openFile(path string, o *Options) (*source, error) {
	info, err := os.Stat(path) // a cycle of links ends here
	if err != nil {
		return nil, Unreadable(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "is no plain file but " + kindOf(info.Mode()), Do: "name the data files themselves; what comes out of a pipe must be written to a file first, since it is read more than once"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, Unreadable(path, err)
	}
	s := &source{o: o, name: path, f: f, size: info.Size()}
	var head [512]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(Unreadable(path, err), f.Close())
	}
	if s.kind, err = magic(path, head[:n]); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

func kindOf(m os.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&os.ModeNamedPipe != 0:
		return "a named pipe"
	case m&os.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

func (s *source) close() { _ = s.f.Close() } // read only

// magic tells by the first bytes what a file is, "" for text.
func magic(name string, head []byte) (string, error) {
	starts := func(m string) bool { return bytes.HasPrefix(head, []byte(m)) }
	refuse := func(what string) (string, error) {
		return "", &rung.Error{Code: rung.CodeInput, Place: name, What: "is " + what, Do: "unpack it first, or write CSV, JSON lines or Parquet"}
	}
	switch {
	case starts("\x1f\x8b"):
		return "gzip", nil
	case starts("\x28\xb5\x2f\xfd"):
		return "zstd", nil
	case starts("BZh"):
		return "bzip2", nil
	case starts("PK\x03\x04"), starts("PK\x05\x06"):
		if endsIn(name, ".xlsx", ".ods", ".docx") {
			return refuse("an office document")
		}
		return "zip", nil
	case starts("PAR1"):
		return "parquet", nil
	case starts("ARROW1"), starts("\xff\xff\xff\xff") && len(head) > 8:
		return "arrow", nil
	case starts("\xfd7zXZ"):
		return refuse("compressed with xz, which is not read")
	case starts("7z\xbc\xaf"):
		return refuse("a 7z archive")
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return refuse("a tar archive")
	case starts("SQLite format 3"):
		return refuse("an SQLite database")
	case starts("\xd0\xcf\x11\xe0"):
		return refuse("an old office document")
	case endsIn(name, ".parquet"):
		return "", &rung.Error{Code: rung.CodeInput, Place: name, What: "is not a Parquet file: it does not begin with PAR1", Do: "write it again"}
	case endsIn(name, ".arrow"):
		return "", &rung.Error{Code: rung.CodeInput, Place: name, What: "is not an Arrow file", Do: "write it again"}
	case endsIn(name, ".gz", ".gzip", ".zip", ".zst", ".bz2"):
		return "", &rung.Error{Code: rung.CodeInput, Place: name, What: "is not compressed as its name says", Do: "rename it, or get it again"}
	}
	return "", nil
}

func endsIn(name string, endings ...string) bool {
	return slices.Contains(endings, strings.ToLower(filepath.Ext(name)))
}

func (s *source) read(ctx context.Context, open func(*File) (Take, error)) error {
	file := &File{Name: s.name, Bytes: s.size}
	switch s.kind {
	case "zip":
		return s.archive(ctx, open)
	case "parquet", "arrow":
		if err := s.digest(file); err != nil {
			return err
		}
		return s.table(ctx, s.f, s.size, s.kind, file, open)
	}
	in := io.Reader(s.f)
	if !s.o.NoDigest {
		s.sum = sha256.New()
		in = io.TeeReader(s.f, s.sum)
	}
	counted := &counter{r: in}
	text, inner := io.Reader(counted), s.name
	if s.kind != "" {
		file.Compression = s.kind
		unpacked, done, err := unpack(s.kind, counted)
		if err != nil {
			return Error(s.name, fmt.Errorf("the %s file is damaged: %w", s.kind, err))
		}
		defer done()
		text = &bounded{r: unpacked, name: s.name, kind: s.kind, o: s.o, packed: counted.count, left: &s.o.MaxExpanded}
		inner = strings.TrimSuffix(s.name, filepath.Ext(s.name))
	}
	if err := s.member(ctx, text, inner, file, open); err != nil {
		return err
	}
	if s.sum != nil {
		if _, err := io.Copy(io.Discard, in); err != nil { // what the reader did not need
			return Unreadable(s.name, err)
		}
		file.Digest = rung.Digest(hex.EncodeToString(s.sum.Sum(nil)))
	}
	return nil
}

func (s *source) digest(file *File) error {
	if s.o.NoDigest {
		return nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(s.f, 0, s.size)); err != nil {
		return Unreadable(s.name, err)
	}
	file.Digest = rung.Digest(hex.EncodeToString(h.Sum(nil)))
	return nil
}

func unpack(kind string, r io.Reader) (io.Reader, func(), error) {
	switch kind {
	case "gzip":
		z, err := gzip.NewReader(r)
		return z, func() {}, err
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return bzip2.NewReader(r), func() {}, nil
}

// counter counts what is read of a packed file.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) count() int64 { return c.n }

// bounded ends the reading of a compressed file that expands to too much.
type bounded struct {
	r      io.Reader
	name   string
	kind   string
	o      *Options
	packed func() int64 // bytes read of the packed file so far
	left   *int64       // of MaxExpanded
	out    int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.out += int64(n)
	*b.left -= int64(n)
	switch {
	case *b.left < 0:
		return 0, b.refuse("expands to more than %s", Bytes(b.out))
	case b.out > ratioFrom && b.out/max(b.packed(), 1) > b.o.MaxRatio:
		return 0, b.refuse("expands to more than %d times its size", b.o.MaxRatio)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, &rung.Error{Code: rung.CodeInput, Place: b.name, What: fmt.Sprintf("the %s file is damaged or cut off: %v", b.kind, err), Do: "get it again, or unpack as much of it as can be and name that", Err: err}
	}
	return n, err
}

func (b *bounded) refuse(format string, args ...any) error {
	return &rung.Error{Code: rung.CodeInput, Place: b.name, What: fmt.Sprintf(format, args...) + ", as files do that are made to fill memory and disks",
		Do: "if it is what you expect, convert it with rung data convert and a higher --max-ratio or --max-expanded"}
}

// Bytes is a size for people.
func Bytes(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// member reads a text, or a table inside something compressed, by its name and its first bytes.
func (s *source) member(ctx context.Context, in io.Reader, name string, file *File, open func(*File) (Take, error)) error {
	buffered := bufio.NewReaderSize(in, 128<<10)
	head, err := buffered.Peek(charset.Head)
	if err != nil && !errors.Is(err, io.EOF) {
		return Error(file.Name, err)
	}
	if file.Compression != "" {
		kind, err := magic(name, head)
		if err != nil {
			return err
		}
		switch kind {
		case "parquet", "arrow":
			return s.spooled(ctx, buffered, kind, file, open)
		case "":
		default:
			return &rung.Error{Code: rung.CodeInput, Place: file.Name, What: "is compressed twice: a " + kind + " file is inside", Do: "unpack the outer one"}
		}
	}
	if file.Container = s.o.Container; file.Container == "" {
		if file.Container, err = containerOf(name, head); err != nil {
			return withPlace(err, file.Name)
		}
	}
	take, err := open(file)
	if err != nil {
		return err
	}
	r := &reader{ctx: ctx, o: s.o, file: file, take: take}
	if err := r.text(buffered); err != nil {
		return Error(file.Name, err)
	}
	return ctx.Err()
}

func withPlace(err error, place string) error {
	var e *rung.Error
	if errors.As(err, &e) {
		copied := *e
		copied.Place = place
		return &copied
	}
	return err
}

// spooled writes a table that lies in something compressed to a working file, since tables are not read from front to back.
func (s *source) spooled(ctx context.Context, in io.Reader, kind string, file *File, open func(*File) (Take, error)) (err error) {
	f, err := os.CreateTemp(s.o.Tmp, "rung-data-*")
	if err != nil {
		return unwritable(s.o.Tmp, err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	n, err := io.Copy(&working{f}, in)
	if err != nil {
		return Error(file.Name, err)
	}
	return s.table(ctx, f, n, kind, file, open)
}

// working tells errors of the working file apart from those of what is read.
type working struct{ f *os.File }

func (w *working) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		return n, unwritable(w.f.Name(), err)
	}
	return n, nil
}

func unwritable(place string, err error) error {
	what := err.Error()
	var pe *os.PathError
	if errors.As(err, &pe) {
		what = pe.Err.Error()
	}
	return &rung.Error{Code: rung.CodeStore, Place: place, What: "it cannot be written: " + what, Do: "make room or set TMPDIR to a place with room; what was read has not been changed", Err: err}
}

// archive reads the files of a zip archive. Nothing is written under the names that it has.
func (s *source) archive(ctx context.Context, open func(*File) (Take, error)) error {
	members, err := s.members()
	if err != nil {
		return err
	}
	whole := &File{}
	if err := s.digest(whole); err != nil {
		return err
	}
	out := &counter{}
	for _, m := range members {
		in, err := m.Open()
		if err != nil {
			return Error(s.name, fmt.Errorf("%s in the archive cannot be read: %w", m.Name, err))
		}
		file := &File{Name: s.name + "/" + m.Name, Compression: "zip", Bytes: s.size, Digest: whole.Digest}
		// The ratio is that of the whole archive, since members may share their bytes; so is what is left of the expanded size.
		out.r = in
		b := &bounded{r: out, name: s.name, kind: "zip", o: s.o, packed: func() int64 { return s.size }, left: &s.o.MaxExpanded, out: out.n}
		err = errors.Join(s.member(ctx, b, m.Name, file, open), in.Close())
		if err != nil {
			return err
		}
	}
	return nil
}

// maxMembers bounds the files of an archive, whose list is read into memory.
const maxMembers = 100_000

func (s *source) members() ([]*zip.File, error) {
	refuse := func(what, do string) ([]*zip.File, error) {
		return nil, &rung.Error{Code: rung.CodeInput, Place: s.name, What: what, Do: do}
	}
	if n, err := countMembers(s.f, s.size); err != nil {
		return refuse("the zip archive is damaged: "+err.Error(), "get it again")
	} else if n > maxMembers {
		return refuse(fmt.Sprintf("the archive says that it holds %d files", n), "unpack it, and name the files that are meant")
	}
	z, err := zip.NewReader(s.f, s.size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return refuse("the zip archive is damaged: "+err.Error(), "get it again")
	}
	var out []*zip.File
	for _, m := range z.File {
		base := m.Name[strings.LastIndexByte(m.Name, '/')+1:]
		switch {
		case !filepath.IsLocal(m.Name) || strings.ContainsAny(m.Name, "\\\x00") || strings.HasPrefix(m.Name, "/"):
			return refuse(fmt.Sprintf("a file in the archive is called %q, which leads out of its folder", charset.Excerpt([]byte(m.Name), 0)), "unpack it with care, and name the files that are meant")
		case m.FileInfo().IsDir(), strings.HasPrefix(base, "."), strings.HasPrefix(m.Name, "__MACOSX/"), endsIn(base, ".md", ".pdf", ".html"):
		case !m.Mode().IsRegular():
			return refuse(fmt.Sprintf("%s in the archive is no plain file but a link or a device", m.Name), "unpack it with care, and name the files that are meant")
		case m.Flags&1 != 0:
			return refuse(m.Name+" in the archive is encrypted", "unpack it first")
		default:
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return refuse("the archive holds no data files", "name the data files")
	}
	return out, nil
}

// countMembers reads how many files a zip archive says it has, before its list is read.
func countMembers(f io.ReaderAt, size int64) (int64, error) {
	const tail = 22 // the end record without its comment
	n := min(size, tail+1<<16)
	b := make([]byte, n)
	if _, err := f.ReadAt(b, size-n); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	at := bytes.LastIndex(b, []byte("PK\x05\x06"))
	if at < 0 || at+tail > len(b) {
		return 0, errors.New("it has no end, and may be cut off")
	}
	count := int64(b[at+10]) | int64(b[at+11])<<8
	if count != 0xffff {
		return count, nil
	}
	// Zip64 has the number elsewhere; the length of the list, at 46 bytes or more a file, bounds it.
	list := int64(b[at+12]) | int64(b[at+13])<<8 | int64(b[at+14])<<16 | int64(b[at+15])<<24
	return max(count, min(list, size)/46), nil
}

// containerOf tells how rows lie in a text, by its name and by how it begins.
func containerOf(name string, head []byte) (Container, error) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return CSV, nil
	case ".tsv", ".tab":
		return TSV, nil
	case ".yaml", ".yml":
		return YAML, nil
	case ".txt":
		return Text, nil
	case ".jsonl", ".ndjson":
		return arrayOr(JSONL, head), nil
	case ".json":
		if c := arrayOr(JSONL, head); c == JSON || !firstLineIsValue(head) {
			return JSON, nil
		}
		return JSONL, nil
	}
	first := firstOf(head)
	switch {
	case first == '[' || first == '{' || first == '"' || first == 0:
		if c := arrayOr(JSONL, head); c == JSON || firstLineIsValue(head) {
			return c, nil
		}
		return JSON, nil
	}
	return "", &rung.Error{Code: rung.CodeInput, What: fmt.Sprintf("it is not known what this file holds: its name does not say it, and it begins with %q", charset.Excerpt(head[:min(len(head), 20)], 0)),
		Do: "give it a name that ends in .jsonl, .json, .csv, .tsv, .txt, .yaml or .parquet"}
}
