package registry

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content/oci"

	"github.com/rung-dev/rung"
)

const poolText = `[{"id":"1","input":{"q":"<a> & b"},"output":"yes"}]`

// aRelease is a release with every kind of part, and their contents.
func aRelease(version string) (*rung.Release, []Content) {
	parts := []Content{
		{Kind: Pool, Bytes: []byte(poolText)}, {Kind: PoolVectors, Bytes: []byte("vectors")}, {Kind: Index, Bytes: bytes.Repeat([]byte("index "), 5000)},
		{Kind: Adapter, Bytes: []byte("GGUF adapter")}, {Kind: PEFTConfig, Bytes: []byte("{}")}, {Kind: PEFTWeights, Bytes: []byte("weights")},
	}
	return &rung.Release{
		Task: "tickets", Version: version, Note: "first & <best>", By: "Ada", At: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), Run: "r1",
		Candidate: rung.Candidate{
			Rung: rung.RAGLoRA, Model: "local/tiny", Weights: rung.DigestBytes([]byte("w")), Instructions: "Say <yes>.",
			Input: []rung.Field{{Name: "q", Type: "string"}}, Output: rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"b":1,"a":"<"}`)},
			Demos:     &rung.Demos{Mode: rung.NearestDense, K: 1, Pool: rung.DigestBytes(parts[0].Bytes)},
			Retrieval: &rung.Retrieval{Index: rung.DigestBytes(parts[2].Bytes), K: 1},
			Adapter:   &rung.Adapter{Digest: rung.DigestBytes(parts[3].Bytes)},
		},
		Outcomes: []rung.Outcome{{Rung: rung.Prompt, Metrics: map[string]rung.Interval{"b": {Value: 1}, "a": {Value: .5}}}},
	}, parts
}

func layout(t *testing.T) *Layout {
	t.Helper()
	l, err := Open(filepath.Join(t.TempDir(), "releases"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// stored puts a release into a layout under its name.
func putRelease(t *testing.T, l *Layout, version string) *rung.Release {
	t.Helper()
	r, parts := aRelease(version)
	if _, err := l.Put(t.Context(), r, parts); err != nil {
		t.Fatal(err)
	}
	if err := l.Tag(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAReleaseIsReadBackAsItWas(t *testing.T) {
	l := layout(t)
	r := putRelease(t, l, "v1")
	d, err := l.Find("tickets", "v1")
	if err != nil || d != r.Digest {
		t.Fatalf("%s, %v", d, err)
	}
	got, err := l.Verify(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Error(diff)
	}
	if got.Candidate.Digest() != r.Candidate.Digest() {
		t.Error("the candidate has another digest")
	}
	if b, err := l.Part(t.Context(), got, Pool); err != nil || string(b) != poolText {
		t.Errorf("%s, %v", b, err)
	}
	path, err := l.PartPath(t.Context(), got, Adapter)
	if b, readErr := os.ReadFile(path); err != nil || readErr != nil || string(b) != "GGUF adapter" {
		t.Errorf("%s, %v, %v", b, err, readErr)
	}
	// Other tools read the layout, and find the release by its tag.
	other, err := oci.New(l.Dir())
	if err != nil {
		t.Fatal(err)
	}
	desc, err := other.Resolve(t.Context(), Tag("tickets", "v1"))
	if err != nil || desc.Digest.Encoded() != string(d) || desc.ArtifactType != ArtifactType {
		t.Errorf("%+v, %v", desc, err)
	}
	if info, err := os.Stat(l.Dir()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestTheSameReleaseHasTheSameBytes(t *testing.T) {
	first, second := putRelease(t, layout(t), "v1"), putRelease(t, layout(t), "v1")
	if first.Digest != second.Digest {
		t.Errorf("%s and %s", first.Digest, second.Digest)
	}
}

func TestAVersionNeverChanges(t *testing.T) {
	l := layout(t)
	r := putRelease(t, l, "v1")
	putRelease(t, l, "v1") // the same again is no conflict
	other, parts := aRelease("v1")
	other.Note = "another"
	if _, err := l.Put(t.Context(), other, parts); err != nil {
		t.Fatal(err)
	}
	if err := l.Tag(t.Context(), other); rung.CodeOf(err) != rung.CodeConflict {
		t.Errorf("%v", err)
	}
	if d, _ := l.Find("tickets", "v1"); d != r.Digest {
		t.Errorf("the name points at %s", d)
	}
}

// Two processes that tag different releases with the same name: one has it, the other is told; with different names both have.
func TestTagsOfManyAtOnce(t *testing.T) {
	l := layout(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	conflicts := 0
	for i := range 8 {
		wg.Go(func() {
			own, err := Open(l.Dir())
			if err != nil {
				t.Error(err)
				return
			}
			for _, version := range []string{"same", "v" + string(rune('a'+i))} {
				r, parts := aRelease(version)
				r.By = string(rune('a' + i))
				if _, err := own.Put(context.Background(), r, parts); err != nil {
					t.Error(err)
				}
				err := own.Tag(context.Background(), r)
				if rung.CodeOf(err) == rung.CodeConflict {
					mu.Lock()
					conflicts++
					mu.Unlock()
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	tags, err := l.List()
	if err != nil || len(tags) != 9 || conflicts != 7 {
		t.Errorf("%d tags, %d conflicts, %v", len(tags), conflicts, err)
	}
}

func TestWhatWasChangedAfterwardsIsRefused(t *testing.T) {
	for name, which := range map[string]func(*rung.Release, *ocispec.Manifest) rung.Digest{
		"manifest": func(r *rung.Release, _ *ocispec.Manifest) rung.Digest { return r.Digest },
		"config":   func(_ *rung.Release, m *ocispec.Manifest) rung.Digest { return rung.Digest(m.Config.Digest.Encoded()) },
		"index":    func(r *rung.Release, _ *ocispec.Manifest) rung.Digest { return r.Candidate.Retrieval.Index },
		"adapter":  func(r *rung.Release, _ *ocispec.Manifest) rung.Digest { return r.Candidate.Adapter.Digest },
	} {
		t.Run(name, func(t *testing.T) {
			l := layout(t)
			r := putRelease(t, l, "v1")
			m, _, err := l.manifest(t.Context(), r.Digest)
			if err != nil {
				t.Fatal(err)
			}
			path := l.BlobPath(which(r, m))
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1 // the length stays
			if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, b, 0o600)); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Verify(t.Context(), r.Digest); rung.CodeOf(err) != rung.CodeStore || !strings.Contains(err.Error(), "changed or damaged") {
				t.Errorf("%v", err)
			}
			// Storing the release again mends it.
			putRelease(t, l, "v1")
			if _, err := l.Verify(t.Context(), r.Digest); err != nil {
				t.Error(err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Verify(t.Context(), r.Digest); rung.CodeOf(err) != rung.CodeNotFound {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWhatACandidateNeedsMustBeThere(t *testing.T) {
	for i, kind := range []string{Pool, "", Index, Adapter} {
		if kind == "" {
			continue
		}
		r, parts := aRelease("v1")
		parts = append(parts[:i:i], parts[i+1:]...)
		if _, err := layout(t).Put(t.Context(), r, parts); err == nil || !strings.Contains(err.Error(), "needs the") {
			t.Errorf("without the %s: %v", kind, err)
		}
	}
}

func TestSignatures(t *testing.T) {
	l := layout(t)
	r := putRelease(t, l, "v1")
	path := filepath.Join(t.TempDir(), "keys", "signing.key")
	key, made, err := SigningKey(path)
	if err != nil || !made {
		t.Fatalf("%v, %v", made, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("the private key has mode %v", info.Mode())
	}
	again, made, err := SigningKey(path)
	if err != nil || made || !again.Equal(key) {
		t.Errorf("%v, %v", made, err)
	}
	public, err := PublicKey(PublicKeyPath(path))
	if err != nil || !public.Equal(key.Public()) {
		t.Fatal(err)
	}
	if err := l.VerifySignature(t.Context(), r.Digest, public); rung.CodeOf(err) != rung.CodeDenied || !strings.Contains(err.Error(), "no signature") {
		t.Errorf("unsigned: %v", err)
	}
	for range 2 { // the second time changes nothing
		if err := l.Sign(t.Context(), r.Digest, key); err != nil {
			t.Fatal(err)
		}
	}
	if signers, err := l.Signers(t.Context(), r.Digest); err != nil || len(signers) != 1 || signers[0] != Fingerprint(public) {
		t.Errorf("%v, %v", signers, err)
	}
	if err := l.VerifySignature(t.Context(), r.Digest, public); err != nil {
		t.Error(err)
	}
	stranger, _, _ := ed25519.GenerateKey(nil)
	if err := l.VerifySignature(t.Context(), r.Digest, stranger); rung.CodeOf(err) != rung.CodeDenied || !strings.Contains(err.Error(), "not with this key") {
		t.Errorf("a stranger's key: %v", err)
	}
	other := putRelease(t, l, "v2")
	if err := l.VerifySignature(t.Context(), other.Digest, public); rung.CodeOf(err) != rung.CodeDenied {
		t.Errorf("the signature of another release: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := SigningKey(path); rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others may read: %v", err)
	}
}

// hostileManifests are manifests that no rung wrote, each with a word of the refusal.
func hostileManifests(t testing.TB) map[string][2]string {
	r, parts := aRelease("v1")
	for i := range parts {
		p, err := parts[i].part()
		if err != nil {
			t.Fatal(err)
		}
		r.Parts = append(r.Parts, p)
	}
	raw, _, err := manifestOf(r)
	if err != nil {
		t.Fatal(err)
	}
	good := string(raw)
	swap := func(old, new string) string {
		out := strings.Replace(good, old, new, 1)
		if out == good {
			t.Fatalf("the manifest has no %s", old)
		}
		return out
	}
	return map[string][2]string{
		"path in a title":   {swap(`"adapter.gguf"`, `"../../../etc/passwd"`), "title"},
		"unknown part":      {swap(partForms[Index].mediaType, "application/x-sh"), "unknown media type"},
		"two of a kind":     {swap(partForms[Index].mediaType+`"`, partForms[Pool].mediaType+`"`), "title"},
		"no digest":         {swap(string(ociDigest(r.Parts[0].Digest)), "sha256:../../x"), "SHA-256"},
		"weak digest":       {swap(string(ociDigest(r.Parts[0].Digest)), "md5:d41d8cd98f00b204e9800998ecf8427e"), "SHA-256"},
		"huge part":         {swap(`"size":7,`, `"size":1000000000000000,`), "claims"},
		"negative size":     {swap(`"size":7,`, `"size":-7,`), "claims"},
		"elsewhere":         {swap(`"size":7,`, `"size":7,"urls":["http://169.254.169.254/"],`), "elsewhere"},
		"an image":          {swap(ArtifactType, "application/vnd.oci.image.config.v1+json"), "type"},
		"a manifest list":   {swap(ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex), "media type"},
		"another config":    {swap(configType, "application/vnd.docker.container.image.v1+json"), "config"},
		"something after":   {good + `{"a":1}`, "no JSON"},
		"too long":          {good + strings.Repeat(" ", maxManifest), "more than"},
		"no JSON":           {"not json", "no JSON"},
		"deeply nested":     {strings.Repeat(`{"annotations":`, 15000), "no JSON"},
		"nothing":           {"", "no JSON"},
		"a subject":         {swap(`"layers"`, `"subject":{"mediaType":"a","digest":"sha256:`+string(r.Parts[0].Digest)+`","size":1},"layers"`), "subject"},
		"very many parts":   {swap(`"layers":[`, `"layers":[`+strings.Repeat(`{"mediaType":"x","size":1},`, 100)), "parts"},
		"data in the lines": {swap(`"size":7,`, `"size":7,"data":"d2VpZ2h0cw==",`), "elsewhere"},
	}
}

func TestHostileManifestsAreRefused(t *testing.T) {
	for name, c := range hostileManifests(t) {
		if _, err := parse([]byte(c[0])); rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHostileConfigsAreRefused(t *testing.T) {
	r, parts := aRelease("v1")
	l := layout(t)
	if _, err := l.Put(t.Context(), r, parts); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*rung.Release){
		"path as task":    func(r *rung.Release) { r.Task = "../../x" },
		"path as version": func(r *rung.Release) { r.Version = "v1/../x" },
		"empty name":      func(r *rung.Release) { r.Task = "" },
		"missing part":    func(r *rung.Release) { r.Parts = r.Parts[1:] },
		"other digest":    func(r *rung.Release) { r.Parts[0].Digest = r.Parts[1].Digest },
		"other pool":      func(r *rung.Release) { r.Candidate.Demos.Pool = r.Parts[1].Digest },
		"other adapter":   func(r *rung.Release) { r.Candidate.Adapter.Digest = r.Parts[1].Digest },
	} {
		m, _, err := l.manifest(t.Context(), r.Digest)
		if err != nil {
			t.Fatal(err)
		}
		copied, _ := aRelease("v1")
		copied.Parts = append([]rung.Part{}, r.Parts...)
		change(copied)
		config, err := encode(copied)
		if err != nil {
			t.Fatal(err)
		}
		m.Config.Digest, m.Config.Size = ociDigest(rung.DigestBytes(config)), int64(len(config))
		if _, err := release(m, config); rung.CodeOf(err) != rung.CodeInput {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever the bytes, reading ends without a panic, and what is accepted is a release that can be named and written again.
func FuzzReadRelease(f *testing.F) {
	for _, c := range hostileManifests(f) {
		f.Add([]byte(c[0]), []byte("{}"))
	}
	r, parts := aRelease("v1")
	for i := range parts {
		p, err := parts[i].part()
		if err != nil {
			f.Fatal(err)
		}
		r.Parts = append(r.Parts, p)
	}
	manifest, config, err := manifestOf(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(manifest, config)
	f.Fuzz(func(t *testing.T, manifest, config []byte) {
		m, err := parse(manifest)
		if err != nil {
			return
		}
		m.Config.Digest = ociDigest(rung.DigestBytes(config)) // so that the config is looked at
		r, err := release(m, config)
		if err != nil {
			return
		}
		if CheckTask(r.Task) != nil || CheckVersion(r.Version) != nil {
			t.Errorf("accepted the name %q", r.Name())
		}
		for _, p := range r.Parts {
			if strings.ContainsAny(string(p.Digest), "/.\\") || len(p.Digest) != 64 {
				t.Errorf("accepted the digest %q", p.Digest)
			}
		}
		if _, _, err := manifestOf(r); err != nil && r.At.Year() > 0 && r.At.Year() < 9999 {
			t.Errorf("cannot be written again: %v", err)
		}
	})
}

func FuzzSignature(f *testing.F) {
	public, key, _ := ed25519.GenerateKey(bytes.NewReader(make([]byte, 64)))
	subject := manifestDescriptor([]byte("manifest"))
	manifest, layer, err := signatureOf(subject, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(manifest, layer)
	f.Add([]byte("{}"), []byte("{}"))
	f.Fuzz(func(t *testing.T, rawManifest, rawLayer []byte) {
		parseSignature(rawManifest, subject.Digest)
		if signedBy(rawLayer, subject.Digest, public) {
			var s signature
			if decode(rawLayer, &s) != nil || !ed25519.Verify(public, signedBytes(subject.Digest), s.Signature) {
				t.Error("accepted what is not signed")
			}
		}
	})
}
