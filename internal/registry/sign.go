package registry

import (
	"bytes"
	"context"
	"crypto/ed25519"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/rung-dev/rung"
)

// SignatureType is the artifact type of a signature: a manifest whose subject is the release, and whose one layer is the
// signature's JSON.
const SignatureType = "application/vnd.rung.signature.v1+json"

const (
	maxSignature  = 4 << 10 // bytes of the JSON
	maxSignatures = 64      // looked at per release
)

// signature is what a signature's layer holds.
type signature struct {
	Manifest  digest.Digest `json:"manifest"` // of the release that is signed
	Key       string        `json:"key"`      // the signer's fingerprint: to find the key, not to trust
	Signature []byte        `json:"signature"`
}

// signedBytes are what is signed. They begin with words that nothing else that is signed with the same key begins with.
func signedBytes(manifest digest.Digest) []byte {
	return []byte("rung release signature v1\n" + string(manifest) + "\n")
}

// signatureOf makes the signature of a release's manifest: its manifest and its layer. The same key gives the same bytes.
func signatureOf(subject ocispec.Descriptor, key ed25519.PrivateKey) (manifest, layer []byte, err error) {
	public := key.Public().(ed25519.PublicKey)
	layer, err = encode(signature{Manifest: subject.Digest, Key: Fingerprint(public), Signature: ed25519.Sign(key, signedBytes(subject.Digest))})
	if err != nil {
		return nil, nil, err
	}
	subject.Annotations, subject.ArtifactType = nil, ""
	manifest, err = encode(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: SignatureType,
		Config: ocispec.DescriptorEmptyJSON, Subject: &subject,
		Layers:      []ocispec.Descriptor{{MediaType: SignatureType, Digest: digest.FromBytes(layer), Size: int64(len(layer))}},
		Annotations: map[string]string{ocispec.AnnotationTitle: "signature by " + Fingerprint(public)},
	})
	return manifest, layer, err
}

// Sign attaches a signature to a stored release. Signing again with the same key changes nothing.
func (l *Layout) Sign(ctx context.Context, d rung.Digest, key ed25519.PrivateKey) error {
	_, subject, err := l.manifest(ctx, d)
	if err != nil {
		return err
	}
	manifest, layer, err := signatureOf(subject, key)
	if err != nil {
		return err
	}
	return l.keepSignature(ctx, manifest, layer)
}

// keepSignature stores a signature and lists it in the index.
func (l *Layout) keepSignature(ctx context.Context, manifest, layer []byte) error {
	desc := manifestDescriptor(manifest)
	blobs := []struct {
		desc ocispec.Descriptor
		b    []byte
	}{
		{ocispec.Descriptor{MediaType: SignatureType, Digest: digest.FromBytes(layer), Size: int64(len(layer))}, layer},
		{ocispec.DescriptorEmptyJSON, []byte("{}")},
		{desc, manifest},
	}
	for _, blob := range blobs {
		if err := l.push(ctx, blob.desc, bytes.NewReader(blob.b)); err != nil {
			return err
		}
	}
	desc.ArtifactType = SignatureType
	return l.change(ctx, func(index *ocispec.Index) error {
		for _, have := range index.Manifests {
			if have.Digest == desc.Digest {
				return errUnchanged
			}
		}
		index.Manifests = append(index.Manifests, desc)
		return nil
	})
}

// parseSignature reads the manifest of a signature of subject and gives its layer's descriptor. What is not exactly that is
// left out by the caller: strangers may attach what they like to a release.
func parseSignature(raw []byte, subject digest.Digest) (ocispec.Descriptor, bool) {
	var m ocispec.Manifest
	if len(raw) > maxManifest || decode(raw, &m) != nil || m.ArtifactType != SignatureType || m.Subject == nil || m.Subject.Digest != subject ||
		len(m.Layers) != 1 || m.Layers[0].MediaType != SignatureType || checkDescriptor(m.Layers[0], maxSignature) != nil {
		return ocispec.Descriptor{}, false
	}
	return m.Layers[0], true
}

// signedBy reports whether a signature's layer is one of subject by key.
func signedBy(layer []byte, subject digest.Digest, key ed25519.PublicKey) bool {
	var s signature
	return len(layer) <= maxSignature && decode(layer, &s) == nil && s.Manifest == subject && len(s.Signature) == ed25519.SignatureSize &&
		ed25519.Verify(key, signedBytes(subject), s.Signature)
}

// attached are the signatures of a stored release: their manifests and layers, each checked against its digest. Damaged ones
// are left out.
func (l *Layout) attached(ctx context.Context, subject digest.Digest) (found []stored, err error) {
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	for _, desc := range index.Manifests {
		if desc.ArtifactType != SignatureType || len(found) == maxSignatures {
			continue
		}
		raw, err := l.read(ctx, desc, maxManifest)
		if err != nil {
			continue
		}
		layer, ok := parseSignature(raw, subject)
		if !ok {
			continue
		}
		if b, err := l.read(ctx, layer, maxSignature); err == nil {
			found = append(found, stored{desc: desc, manifest: raw, layer: b})
		}
	}
	return found, nil
}

// stored is a signature in full.
type stored struct {
	desc            ocispec.Descriptor
	manifest, layer []byte
}

// VerifySignature checks that a stored release is signed with the private half of key. Otherwise it is a CodeDenied.
func (l *Layout) VerifySignature(ctx context.Context, d rung.Digest, key ed25519.PublicKey) error {
	_, subject, err := l.manifest(ctx, d)
	if err != nil {
		return err
	}
	all, err := l.attached(ctx, subject.Digest)
	if err != nil {
		return err
	}
	return anySigned(all, subject.Digest, key)
}

func anySigned(all []stored, subject digest.Digest, key ed25519.PublicKey) error {
	for _, s := range all {
		if signedBy(s.layer, subject, key) {
			return nil
		}
	}
	what := "the release carries no signature"
	if len(all) > 0 {
		what = "the release is signed, but not with this key"
	}
	return &rung.Error{Code: rung.CodeDenied, Place: string(subject), What: what + " (" + Fingerprint(key) + ")",
		Do: "do not use it, or ask its maker to sign it with rung push --sign"}
}

// Signers are the fingerprints that the signatures of a stored release name. They are claims: VerifySignature checks one.
func (l *Layout) Signers(ctx context.Context, d rung.Digest) ([]string, error) {
	all, err := l.attached(ctx, ociDigest(d))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, s := range all {
		var sig signature
		if decode(s.layer, &sig) == nil {
			out = append(out, sig.Key)
		}
	}
	return out, nil
}
