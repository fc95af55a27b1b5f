// Package registry keeps releases as an OCI image layout on disk, pushes them to and pulls them from any OCI registry, and
// signs them. A release is one manifest: its config is the JSON of rung.Release, each part is a layer. Nothing is trusted
// because of where it lies: every read checks the digest.
package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/errdef"

	"github.com/rung-dev/rung"
)

// Layout is an OCI image layout that several processes may use at once. Blobs are written under their digest and renamed
// into place; the index is replaced as a whole under a lock, so that a reader sees the old one or the new one.
type Layout struct {
	dir   string
	blobs *oci.Storage
}

const (
	maxIndex = 64 << 20 // bytes of index.json
	lockName = ".lock"
)

// Open opens the layout in dir, and makes it where there is none. Only the user may read it: it holds prompts and examples.
func Open(dir string) (*Layout, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, layoutError(dir, err)
	}
	blobs, err := oci.NewStorage(dir)
	if err != nil {
		return nil, layoutError(dir, err)
	}
	l := &Layout{dir: dir, blobs: blobs}
	mark, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, ocispec.ImageLayoutFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := replace(path, mark); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Dir is the layout's directory.
func (l *Layout) Dir() string { return l.dir }

// Content is a part to be stored, in memory or in a file.
type Content struct {
	Kind  string
	Bytes []byte
	Path  string // when Bytes is nil
}

// part gives the content its digest and size.
func (c *Content) part() (rung.Part, error) {
	r, err := c.open()
	if err != nil {
		return rung.Part{}, err
	}
	defer r.Close()
	h := digest.SHA256.Digester()
	n, err := io.Copy(h.Hash(), r)
	if err != nil {
		return rung.Part{}, layoutError(c.Path, err)
	}
	return rung.Part{Kind: c.Kind, Digest: rung.Digest(h.Digest().Encoded()), Bytes: n}, nil
}

func (c *Content) open() (io.ReadCloser, error) {
	if c.Bytes != nil {
		return io.NopCloser(bytes.NewReader(c.Bytes)), nil
	}
	f, err := os.Open(c.Path)
	if err != nil {
		return nil, layoutError(c.Path, err)
	}
	return f, nil
}

// Put stores a release with its parts, which become r.Parts, and gives the digest of its manifest, which becomes r.Digest. The
// release has no name in the layout before Tag. Putting the same again changes nothing.
func (l *Layout) Put(ctx context.Context, r *rung.Release, parts []Content) (rung.Digest, error) {
	r.Parts = nil
	for i := range parts {
		p, err := parts[i].part()
		if err != nil {
			return "", err
		}
		r.Parts = append(r.Parts, p)
	}
	manifest, config, err := manifestOf(r)
	if err != nil {
		return "", err
	}
	m, err := parse(manifest)
	if err != nil {
		return "", err
	}
	if err := checkRefers(r); err != nil {
		return "", err
	}
	for i, desc := range m.Layers {
		if err := l.putPart(ctx, desc, &parts[i]); err != nil {
			return "", err
		}
	}
	if err := l.push(ctx, m.Config, bytes.NewReader(config)); err != nil {
		return "", err
	}
	r.Digest = rung.DigestBytes(manifest)
	return r.Digest, l.push(ctx, manifestDescriptor(manifest), bytes.NewReader(manifest))
}

func manifestDescriptor(manifest []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}
}

func (l *Layout) putPart(ctx context.Context, desc ocispec.Descriptor, c *Content) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	defer r.Close()
	return l.push(ctx, desc, r)
}

// push stores a blob after checking its size and digest. A damaged blob under the same name is replaced.
func (l *Layout) push(ctx context.Context, desc ocispec.Descriptor, r io.Reader) error {
	if path := l.BlobPath(rung.Digest(desc.Digest.Encoded())); l.verify(ctx, desc) != nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return layoutError(path, err)
		}
	}
	err := l.blobs.Push(ctx, desc, &cancelled{ctx, r})
	switch {
	case err == nil || errors.Is(err, errdef.ErrAlreadyExists):
		return nil
	case ctx.Err() != nil:
		return interrupted(ctx)
	case errors.Is(err, content.ErrMismatchedDigest) || errors.Is(err, content.ErrTrailingData) || errors.Is(err, io.ErrUnexpectedEOF):
		return &rung.Error{Code: rung.CodeInput, Place: string(desc.Digest), What: "the content is not what its digest and size say", Do: "do not use it; pull it again, or ask whoever pushed it", Err: err}
	}
	return layoutError(l.dir, err)
}

// cancelled is a reader that ends with its context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// BlobPath is the file of a blob. It stays where it is.
func (l *Layout) BlobPath(d rung.Digest) string {
	return filepath.Join(l.dir, ocispec.ImageBlobsDir, string(digest.SHA256), string(d))
}

// verify reads a blob through and checks its size and digest.
func (l *Layout) verify(ctx context.Context, desc ocispec.Descriptor) error {
	f, err := l.blobs.Fetch(ctx, desc)
	if err != nil {
		return missing(desc, err)
	}
	defer f.Close()
	v := content.NewVerifyReader(&cancelled{ctx, f}, desc)
	if _, err := io.Copy(io.Discard, v); err != nil {
		return tampered(ctx, desc, err)
	}
	if err := v.Verify(); err != nil {
		return tampered(ctx, desc, err)
	}
	return nil
}

// read gives a blob of at most limit bytes, checked.
func (l *Layout) read(ctx context.Context, desc ocispec.Descriptor, limit int64) ([]byte, error) {
	if desc.Size > limit {
		return nil, refused("%s has %d bytes; at most %d are read", desc.MediaType, desc.Size, limit)
	}
	f, err := l.blobs.Fetch(ctx, desc)
	if err != nil {
		return nil, missing(desc, err)
	}
	defer f.Close()
	b, err := content.ReadAll(&cancelled{ctx, f}, desc)
	if err != nil {
		return nil, tampered(ctx, desc, err)
	}
	return b, nil
}

func missing(desc ocispec.Descriptor, err error) error {
	return &rung.Error{Code: rung.CodeNotFound, Place: string(desc.Digest), What: "a part of the release is not in the registry's directory", Do: "pull the release again, or make it again", Err: err}
}

func tampered(ctx context.Context, desc ocispec.Descriptor, err error) error {
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	return &rung.Error{Code: rung.CodeStore, Place: string(desc.Digest), What: "a part of the release was changed or damaged after it was stored: its digest is another one",
		Do: "do not serve it; pull the release again, or make it again", Err: err}
}

func interrupted(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &rung.Error{Code: rung.CodeTimeout, What: "the time for this is up", Do: "try again, or give it longer with --timeout", Err: context.Cause(ctx)}
	}
	return &rung.Error{Code: rung.CodeInterrupted, What: "interrupted", Do: "run the same command again", Err: context.Cause(ctx)}
}

func layoutError(path string, err error) error {
	what, do := "the registry's directory cannot be used: "+err.Error(), "make it writable, or name another store with --store"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		what, do = "the disk is full", "free some space and run it again"
	}
	return &rung.Error{Code: rung.CodeStore, Place: path, What: what, Do: do, Err: err}
}

// manifest reads the manifest with the given digest, checked and held to the form of a release.
func (l *Layout) manifest(ctx context.Context, d rung.Digest) (*ocispec.Manifest, ocispec.Descriptor, error) {
	desc := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: ociDigest(d)}
	if desc.Digest.Validate() != nil {
		return nil, desc, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%.80q is no digest of a release", string(d)), Do: "see rung releases"}
	}
	info, err := os.Stat(l.BlobPath(d))
	if err != nil {
		return nil, desc, missing(desc, err)
	}
	desc.Size = info.Size()
	raw, err := l.read(ctx, desc, maxManifest)
	if err != nil {
		return nil, desc, err
	}
	m, err := parse(raw)
	return m, desc, err
}

// Release reads a release by the digest of its manifest. Manifest and config are checked; see Verify for the parts.
func (l *Layout) Release(ctx context.Context, d rung.Digest) (*rung.Release, error) {
	m, _, err := l.manifest(ctx, d)
	if err != nil {
		return nil, err
	}
	config, err := l.read(ctx, m.Config, maxConfig)
	if err != nil {
		return nil, err
	}
	r, err := release(m, config)
	if err != nil {
		return nil, err
	}
	r.Digest = d
	return r, nil
}

// Verify reads a release and all its parts through.
func (l *Layout) Verify(ctx context.Context, d rung.Digest) (*rung.Release, error) {
	r, err := l.Release(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, p := range r.Parts {
		desc, err := layerOf(p)
		if err == nil {
			err = l.verify(ctx, desc)
		}
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Part reads a part of a release, checked; nil when it has none of that kind. It is for the parts that are used in memory.
func (l *Layout) Part(ctx context.Context, r *rung.Release, kind string) ([]byte, error) {
	for _, p := range r.Parts {
		if p.Kind == kind {
			desc, err := layerOf(p)
			if err != nil {
				return nil, err
			}
			return l.read(ctx, desc, maxPart)
		}
	}
	return nil, nil
}

// PartPath is the file of a part after it was checked; empty when the release has none of that kind.
func (l *Layout) PartPath(ctx context.Context, r *rung.Release, kind string) (string, error) {
	for _, p := range r.Parts {
		if p.Kind == kind {
			desc, err := layerOf(p)
			if err != nil {
				return "", err
			}
			return l.BlobPath(p.Digest), l.verify(ctx, desc)
		}
	}
	return "", nil
}

// emptyIndex is the index of a layout that holds nothing.
func emptyIndex() ocispec.Index {
	return ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
}

// DigestFile is the digest of a file's content.
func DigestFile(path string) (rung.Digest, error) {
	p, err := (&Content{Path: path}).part()
	return p.Digest, err
}
