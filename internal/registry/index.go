package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/rung-dev/rung"
)

// index reads index.json; that of an empty layout when there is none.
func (l *Layout) index() (ocispec.Index, error) {
	path := filepath.Join(l.dir, ocispec.ImageIndexFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return emptyIndex(), nil
	}
	if err != nil {
		return ocispec.Index{}, layoutError(path, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil {
		return ocispec.Index{}, layoutError(path, err)
	}
	var index ocispec.Index
	if err := decode(raw, &index); err != nil || len(raw) > maxIndex || index.SchemaVersion != 2 {
		return index, &rung.Error{Code: rung.CodeStore, Place: path, What: "the registry's index is damaged", Do: "remove it; rung releases and the digests in the store still find every release", Err: err}
	}
	return index, nil
}

// Find gives the digest of task@version.
func (l *Layout) Find(task, version string) (rung.Digest, error) {
	index, err := l.index()
	if err != nil {
		return "", err
	}
	tag := Tag(task, version)
	for _, desc := range index.Manifests {
		if desc.Annotations[ocispec.AnnotationRefName] == tag {
			return rung.Digest(desc.Digest.Encoded()), nil
		}
	}
	return "", &rung.Error{Code: rung.CodeNotFound, Place: l.dir, What: "there is no release " + task + "@" + version, Do: "see rung releases, or pull it"}
}

// Tag gives a stored release its name for good. A name that another release has is a CodeConflict.
func (l *Layout) Tag(ctx context.Context, r *rung.Release) error {
	if err := errors.Join(CheckTask(r.Task), CheckVersion(r.Version)); err != nil {
		return err
	}
	_, desc, err := l.manifest(ctx, r.Digest)
	if err != nil {
		return err
	}
	desc.ArtifactType = ArtifactType
	desc.Annotations = map[string]string{ocispec.AnnotationRefName: Tag(r.Task, r.Version)}
	return l.change(ctx, func(index *ocispec.Index) error {
		for _, have := range index.Manifests {
			if have.Annotations[ocispec.AnnotationRefName] != Tag(r.Task, r.Version) {
				continue
			}
			if have.Digest == desc.Digest {
				return errUnchanged
			}
			return taken(r, rung.Digest(have.Digest.Encoded()))
		}
		index.Manifests = append(index.Manifests, desc)
		return nil
	})
}

func taken(r *rung.Release, other rung.Digest) error {
	return &rung.Error{Code: rung.CodeConflict, Place: r.Name(), What: fmt.Sprintf("is another release already (%s, not %s); a version never changes", other.Short(), r.Digest.Short()),
		Do: "choose another version with --as"}
}

// List gives the digests of all named releases by their tag.
func (l *Layout) List() (map[string]rung.Digest, error) {
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	out := map[string]rung.Digest{}
	for _, desc := range index.Manifests {
		if tag := desc.Annotations[ocispec.AnnotationRefName]; tag != "" {
			out[tag] = rung.Digest(desc.Digest.Encoded())
		}
	}
	return out, nil
}

var errUnchanged = errors.New("unchanged")

// change replaces the index under the lock. Nothing is written when edit gives an error; errUnchanged is not passed on.
func (l *Layout) change(ctx context.Context, edit func(*ocispec.Index) error) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	index, err := l.index()
	if err != nil {
		return err
	}
	if err := edit(&index); err != nil {
		if errors.Is(err, errUnchanged) {
			return nil
		}
		return err
	}
	raw, err := json.Marshal(index)
	if err != nil {
		return err
	}
	return replace(filepath.Join(l.dir, ocispec.ImageIndexFile), raw)
}

// lockWait bounds the wait for another process, which holds the lock for the writing of one small file.
const lockWait = 30 * time.Second

func (l *Layout) lock(ctx context.Context) (unlock func(), err error) {
	path := filepath.Join(l.dir, lockName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, layoutError(path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing gives the lock back
		}
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
			_ = f.Close()
			return nil, layoutError(path, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, interrupted(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// replace writes a file as a whole: into another one that is then renamed.
func replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return layoutError(path, err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return layoutError(path, err)
	}
	return nil
}
