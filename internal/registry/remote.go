package registry

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	ociregistry "oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/rung-dev/rung"
)

// Remote says how to talk to a registry.
type Remote struct {
	PlainHTTP bool              // HTTP where HTTPS is usual; a loopback address may always use it
	Verify    ed25519.PublicKey // pull: refuse what is not signed with it; nil: digests only
	Timeout   time.Duration     // of the whole; 0: DefaultTimeout
	MaxBytes  int64             // pull: of all parts together; 0: DefaultMaxBytes
	Log       func(string)      // one line per part that is moved; may be nil
}

const (
	// DefaultTimeout bounds a push or a pull.
	DefaultTimeout = 30 * time.Minute
	// DefaultMaxBytes bounds what a pull brings.
	DefaultMaxBytes = 16 << 30
	// stall is how long a transfer may stand still.
	stall = time.Minute
)

// Push copies a stored release and its signatures to ref (REGISTRY/REPOSITORY[:TAG]; without a tag the version) and gives the
// reference by digest. The release is verified first. A tag that holds another release is a CodeConflict.
func (l *Layout) Push(ctx context.Context, d rung.Digest, ref string, opt Remote) (string, error) {
	ctx, cancel := opt.bound(ctx)
	defer cancel()
	r, err := l.Verify(ctx, d)
	if err != nil {
		return "", err
	}
	repo, err := opt.open(ref)
	if err != nil {
		return "", err
	}
	tag := cmp.Or(repo.Reference.Reference, r.Version)
	if _, err := digest.Parse(tag); err == nil {
		return "", &rung.Error{Code: rung.CodeUsage, Place: ref, What: "a release is pushed to a tag, not to a digest", Do: "name REGISTRY/REPOSITORY:TAG"}
	}
	m, desc, err := l.manifest(ctx, d)
	if err != nil {
		return "", err
	}
	switch have, err := repo.Resolve(ctx, tag); {
	case err == nil && have.Digest != desc.Digest:
		return "", &rung.Error{Code: rung.CodeConflict, Place: ref, What: fmt.Sprintf("the tag %s holds another release (%s)", tag, rung.Digest(have.Digest.Encoded()).Short()), Do: "push to another tag"}
	case err != nil && !errors.Is(err, errdef.ErrNotFound):
		return "", remoteError(ctx, ref, err)
	}
	for _, part := range append([]ocispec.Descriptor{m.Config}, m.Layers...) {
		if err := l.upload(ctx, repo, part, opt); err != nil {
			return "", remoteError(ctx, ref, err)
		}
	}
	manifest, err := l.read(ctx, desc, maxManifest)
	if err != nil {
		return "", err
	}
	if err := repo.PushReference(ctx, desc, bytes.NewReader(manifest), tag); err != nil {
		return "", remoteError(ctx, ref, err)
	}
	if err := l.pushSignatures(ctx, repo, desc, opt); err != nil {
		return "", remoteError(ctx, ref, err)
	}
	return repo.Reference.Registry + "/" + repo.Reference.Repository + "@" + string(desc.Digest), nil
}

func (l *Layout) upload(ctx context.Context, repo *remote.Repository, desc ocispec.Descriptor, opt Remote) error {
	if there, err := repo.Exists(ctx, desc); err != nil || there {
		return err
	}
	f, err := l.blobs.Fetch(ctx, desc)
	if err != nil {
		return missing(desc, err)
	}
	defer f.Close()
	opt.log("pushing %s, %d bytes", desc.MediaType, desc.Size)
	return repo.Push(ctx, desc, f)
}

func (l *Layout) pushSignatures(ctx context.Context, repo *remote.Repository, subject ocispec.Descriptor, opt Remote) error {
	all, err := l.attached(ctx, subject.Digest)
	if err != nil {
		return err
	}
	for _, s := range all {
		layer := ocispec.Descriptor{MediaType: SignatureType, Digest: digest.FromBytes(s.layer), Size: int64(len(s.layer))}
		for _, desc := range []ocispec.Descriptor{layer, ocispec.DescriptorEmptyJSON} {
			if err := l.upload(ctx, repo, desc, opt); err != nil {
				return err
			}
		}
		desc := manifestDescriptor(s.manifest)
		if there, err := repo.Exists(ctx, desc); err != nil {
			return err
		} else if there {
			continue
		}
		if err := repo.Push(ctx, desc, bytes.NewReader(s.manifest)); err != nil {
			return err
		}
	}
	return nil
}

// Pull brings a release from ref (REGISTRY/REPOSITORY:TAG or …@sha256:DIGEST) into the layout, with its signatures, and names
// it. Nothing is kept unless its digest is right, the manifest is exactly that of a release, and, where opt.Verify is given, a
// signature by that key is attached. A version that is another release here is a CodeConflict.
func (l *Layout) Pull(ctx context.Context, ref string, opt Remote) (*rung.Release, error) {
	ctx, cancel := opt.bound(ctx)
	defer cancel()
	repo, err := opt.open(ref)
	if err != nil {
		return nil, err
	}
	if repo.Reference.Reference == "" {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: ref, What: "names no release", Do: "add :TAG or @sha256:DIGEST"}
	}
	p := &pull{layout: l, repo: repo, ref: ref, opt: opt}
	if err := p.manifest(ctx); err != nil {
		return nil, remoteError(ctx, ref, err)
	}
	if err := p.signatures(ctx); err != nil {
		return nil, remoteError(ctx, ref, err)
	}
	if err := p.parts(ctx); err != nil {
		return nil, remoteError(ctx, ref, err)
	}
	return p.release, l.Tag(ctx, p.release)
}

// pull is one pull on its way.
type pull struct {
	layout  *Layout
	repo    *remote.Repository
	ref     string
	opt     Remote
	desc    ocispec.Descriptor
	raw     []byte
	m       *ocispec.Manifest
	release *rung.Release
	config  []byte
	signed  []stored
}

// manifest reads manifest and config, and refuses a release that is not one, or whose name is taken.
func (p *pull) manifest(ctx context.Context) (err error) {
	if p.desc, err = p.repo.Resolve(ctx, p.repo.Reference.Reference); err != nil {
		return err
	}
	if p.desc.MediaType != ocispec.MediaTypeImageManifest {
		return refused("%s holds a %q", p.ref, p.desc.MediaType)
	}
	if p.raw, err = p.fetch(ctx, p.desc, maxManifest); err != nil {
		return err
	}
	if p.m, err = parse(p.raw); err != nil {
		return err
	}
	total, limit := p.m.Config.Size, cmp.Or(p.opt.MaxBytes, DefaultMaxBytes)
	for _, l := range p.m.Layers {
		if total += l.Size; total > limit {
			return refused("it claims more than %d bytes", limit)
		}
	}
	if p.config, err = p.fetch(ctx, p.m.Config, maxConfig); err != nil {
		return err
	}
	if p.release, err = release(p.m, p.config); err != nil {
		return err
	}
	p.release.Digest = rung.Digest(p.desc.Digest.Encoded())
	have, err := p.layout.Find(p.release.Task, p.release.Version)
	if err == nil && have != p.release.Digest {
		return taken(p.release, have)
	}
	if rung.CodeOf(err) == rung.CodeNotFound {
		err = nil
	}
	return err
}

// signatures reads those attached to the release, and refuses it when none is by the key that must have signed.
func (p *pull) signatures(ctx context.Context) error {
	seen := 0
	err := p.repo.Referrers(ctx, p.desc, SignatureType, func(page []ocispec.Descriptor) error {
		for _, desc := range page {
			if seen++; seen > maxSignatures {
				return nil
			}
			if err := p.signature(ctx, desc); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && p.opt.Verify == nil && ctx.Err() == nil {
		return nil // a registry that cannot list them: none was asked for
	}
	if err != nil {
		return err
	}
	if p.opt.Verify == nil {
		return nil
	}
	return anySigned(p.signed, p.desc.Digest, p.opt.Verify)
}

// signature reads one. What is none is left out; only the end of the context ends the pull.
func (p *pull) signature(ctx context.Context, desc ocispec.Descriptor) error {
	if desc.MediaType != ocispec.MediaTypeImageManifest || checkDescriptor(ocispec.Descriptor{MediaType: desc.MediaType, Digest: desc.Digest, Size: desc.Size}, maxManifest) != nil {
		return nil
	}
	raw, err := p.fetch(ctx, desc, maxManifest)
	if err != nil {
		return ctx.Err()
	}
	layer, ok := parseSignature(raw, p.desc.Digest)
	if !ok {
		return nil
	}
	b, err := p.fetch(ctx, layer, maxSignature)
	if err != nil {
		return ctx.Err()
	}
	p.signed = append(p.signed, stored{desc: desc, manifest: raw, layer: b})
	return nil
}

// parts brings what is not here yet, the manifest last.
func (p *pull) parts(ctx context.Context) error {
	for _, desc := range p.m.Layers {
		if p.layout.verify(ctx, desc) == nil {
			continue
		}
		p.opt.log("pulling %s, %d bytes", desc.MediaType, desc.Size)
		if err := p.part(ctx, desc); err != nil {
			return err
		}
	}
	if err := p.layout.push(ctx, p.m.Config, bytes.NewReader(p.config)); err != nil {
		return err
	}
	if err := p.layout.push(ctx, p.desc, bytes.NewReader(p.raw)); err != nil {
		return err
	}
	for _, s := range p.signed {
		if err := p.layout.keepSignature(ctx, s.manifest, s.layer); err != nil {
			return err
		}
	}
	return nil
}

func (p *pull) part(ctx context.Context, desc ocispec.Descriptor) error {
	body, err := p.repo.Fetch(ctx, desc)
	if err != nil {
		return err
	}
	w := watch(body)
	defer w.Close()
	return p.layout.push(ctx, desc, io.LimitReader(w, desc.Size+1))
}

// fetch reads a small blob or manifest, checked.
func (p *pull) fetch(ctx context.Context, desc ocispec.Descriptor, limit int64) ([]byte, error) {
	if desc.Size < 0 || desc.Size > limit {
		return nil, refused("%s claims %d bytes; at most %d are read", desc.MediaType, desc.Size, limit)
	}
	body, err := p.repo.Fetch(ctx, desc)
	if err != nil {
		return nil, err
	}
	w := watch(body)
	defer w.Close()
	return content.ReadAll(w, desc)
}

// watched is a body that is closed when it stands still for too long.
type watched struct {
	io.ReadCloser
	timer *time.Timer
}

func watch(body io.ReadCloser) *watched {
	return &watched{body, time.AfterFunc(stall, func() { _ = body.Close() })}
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.timer.Reset(stall)
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	return w.ReadCloser.Close()
}

func (o *Remote) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, cmp.Or(o.Timeout, DefaultTimeout))
}

func (o *Remote) log(format string, args ...any) {
	if o.Log != nil {
		o.Log(fmt.Sprintf(format, args...))
	}
}

// open makes the client of the repository that ref names.
func (o *Remote) open(ref string) (*remote.Repository, error) {
	parsed, err := ociregistry.ParseReference(strings.TrimPrefix(ref, "oci://"))
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: ref, What: "is no reference to a registry: " + err.Error(), Do: "name REGISTRY/REPOSITORY[:TAG], such as ghcr.io/acme/releases:v3", Err: err}
	}
	login, err := credential(parsed.Registry)
	if err != nil {
		return nil, err
	}
	loopback := isLoopback(parsed.Registry)
	client := &auth.Client{
		Client: &http.Client{Transport: retry.NewTransport(transport())}, Cache: auth.NewCache(), Credential: login,
	}
	if loopback { // a registry on this machine may have its token server there too
		client.BlockedRealmPrefixes = []netip.Prefix{}
	}
	client.SetUserAgent("rung")
	return &remote.Repository{
		Client: client, Reference: parsed, PlainHTTP: o.PlainHTTP || loopback && !answersTLS(parsed.Registry),
		ReferrerListMaxPages: 4, MaxMetadataBytes: 4 << 20, SkipReferrersGC: true,
	}, nil
}

func transport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = stall
	return t
}

func isLoopback(registry string) bool {
	host := registry
	if h, _, err := net.SplitHostPort(registry); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

// answersTLS asks a registry on this machine whether it speaks TLS.
func answersTLS(registry string) bool {
	if _, _, err := net.SplitHostPort(registry); err != nil {
		registry = net.JoinHostPort(registry, "443")
	}
	d := &net.Dialer{Timeout: 2 * time.Second}
	// Only whether it speaks TLS is asked; the certificate is checked when it is used.
	c, err := tls.DialWithDialer(d, "tcp", registry, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// credential gives the login of RUNG_REGISTRY_USER and RUNG_REGISTRY_PASSWORD, else that of docker login. The variables are for
// the registry that the user named and are told to no other.
func credential(registry string) (auth.CredentialFunc, error) {
	user, password := os.Getenv("RUNG_REGISTRY_USER"), os.Getenv("RUNG_REGISTRY_PASSWORD")
	if user != "" && password != "" {
		return auth.StaticCredential(registry, auth.Credential{Username: user, Password: password}), nil
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, What: "the docker configuration cannot be read: " + err.Error(), Do: "mend it, or set RUNG_REGISTRY_USER and RUNG_REGISTRY_PASSWORD", Err: err}
	}
	return credentials.Credential(store), nil
}

// remoteError gives what a registry or the network said the code and the remedy that it has for a person.
func remoteError(ctx context.Context, ref string, err error) error {
	var known *rung.Error
	var answer *errcode.ErrorResponse
	var network net.Error
	switch {
	case errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return interrupted(ctx)
	case errors.Is(err, errdef.ErrNotFound):
		return &rung.Error{Code: rung.CodeNotFound, Place: ref, What: "the registry has no such release", Do: "check repository and tag", Err: err}
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden), errors.Is(err, auth.ErrBasicCredentialNotFound):
		return &rung.Error{Code: rung.CodeAuth, Place: ref, What: "the registry refuses the login, or there is none", Do: "docker login, or set RUNG_REGISTRY_USER and RUNG_REGISTRY_PASSWORD", Err: err}
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData), errors.Is(err, content.ErrInvalidDescriptorSize), errors.Is(err, io.ErrUnexpectedEOF):
		return refused("the registry gave content that is not what its digest says: %v", err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return &rung.Error{Code: rung.CodeUnreachable, Place: ref, What: "the registry speaks HTTP, not HTTPS", Do: "use --plain-http if the network is trusted", Err: err}
	case errors.As(err, &answer):
		return &rung.Error{Code: rung.CodeProvider, Place: ref, What: fmt.Sprintf("the registry answered with status %d: %.300s", answer.StatusCode, answer.Errors.Error()), Do: "try again; look at the registry's log if it stays", Err: err}
	case errors.As(err, &network):
		return &rung.Error{Code: rung.CodeUnreachable, Place: ref, What: "the registry cannot be reached: " + network.Error(), Do: "check its address and the network", Err: err}
	}
	return &rung.Error{Code: rung.CodeProvider, Place: ref, What: "the registry: " + err.Error(), Do: "try again", Err: err}
}
