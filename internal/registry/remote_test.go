package registry

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/registry/registrytest"
)

// noLogin keeps the tests away from the user's own logins.
func noLogin(t *testing.T) {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("RUNG_REGISTRY_USER", "")
	t.Setenv("RUNG_REGISTRY_PASSWORD", "")
}

func TestPushAndPullThroughARealRegistry(t *testing.T) {
	noLogin(t)
	addr := registrytest.Start(t, "")
	from, to := layout(t), layout(t)
	r := putRelease(t, from, "v1")
	key, _, err := SigningKey(filepath.Join(t.TempDir(), "a.key"))
	if err != nil {
		t.Fatal(err)
	}
	stranger, _, err := SigningKey(filepath.Join(t.TempDir(), "b.key"))
	if err != nil {
		t.Fatal(err)
	}
	ref := addr + "/acme/tickets"
	byDigest, err := from.Push(t.Context(), r.Digest, ref, Remote{})
	if err != nil || byDigest != ref+"@sha256:"+string(r.Digest) {
		t.Fatalf("%s, %v", byDigest, err)
	}

	// Unsigned: it can be pulled, but not by who asks for a signature.
	mine := Remote{Verify: publicOf(key)}
	if _, err := to.Pull(t.Context(), ref+":v1", mine); rung.CodeOf(err) != rung.CodeDenied || !strings.Contains(err.Error(), "no signature") {
		t.Errorf("unsigned: %v", err)
	}
	if tags, _ := to.List(); len(tags) != 0 {
		t.Errorf("a refused release was kept: %v", tags)
	}
	got, err := layout(t).Pull(t.Context(), byDigest, Remote{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Error(diff)
	}

	// Signed later: the signature is a referrer of its own and moves with a second push.
	if err := from.Sign(t.Context(), r.Digest, key); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := from.Push(t.Context(), r.Digest, ref, Remote{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := to.Pull(t.Context(), ref+":v1", Remote{Verify: publicOf(stranger)}); rung.CodeOf(err) != rung.CodeDenied || !strings.Contains(err.Error(), "not with this key") {
		t.Errorf("a stranger's key: %v", err)
	}
	if _, err := to.Pull(t.Context(), ref+":v1", mine); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Verify(t.Context(), r.Digest); err != nil {
		t.Error(err)
	}
	if err := to.VerifySignature(t.Context(), r.Digest, publicOf(key)); err != nil {
		t.Errorf("the signature did not come along: %v", err)
	}

	// A tag and a version stay what they are.
	other, parts := aRelease("v1")
	other.Note = "another"
	if _, err := from.Put(t.Context(), other, parts); err != nil {
		t.Fatal(err)
	}
	if _, err := from.Push(t.Context(), other.Digest, ref, Remote{}); rung.CodeOf(err) != rung.CodeConflict {
		t.Errorf("a tag that holds another release: %v", err)
	}
	if _, err := from.Push(t.Context(), other.Digest, ref+":other", Remote{}); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Pull(t.Context(), ref+":other", Remote{}); rung.CodeOf(err) != rung.CodeConflict {
		t.Errorf("another release under a version that is taken: %v", err)
	}
	if _, err := to.Pull(t.Context(), ref+":v7", Remote{}); rung.CodeOf(err) != rung.CodeNotFound {
		t.Errorf("a tag that is not there: %v", err)
	}
	if _, err := to.Pull(t.Context(), ref+":v1", Remote{MaxBytes: 10}); rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("larger than allowed: %v", err)
	}
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// bcryptLine lets "rung" in with the password "secret".
const bcryptLine = "rung:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"

func TestARegistryWithALogin(t *testing.T) {
	noLogin(t)
	htpasswd := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(htpasswd, []byte(bcryptLine+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := registrytest.Start(t, "auth: {htpasswd: {realm: test, path: "+htpasswd+"}}\n")
	l := layout(t)
	r := putRelease(t, l, "v1")
	if _, err := l.Push(t.Context(), r.Digest, addr+"/acme/x", Remote{}); rung.CodeOf(err) != rung.CodeAuth || !strings.Contains(err.Error(), "docker login") {
		t.Errorf("without a login: %v", err)
	}
	t.Setenv("RUNG_REGISTRY_USER", "rung")
	t.Setenv("RUNG_REGISTRY_PASSWORD", "wrong")
	if _, err := l.Push(t.Context(), r.Digest, addr+"/acme/x", Remote{}); rung.CodeOf(err) != rung.CodeAuth {
		t.Errorf("with a wrong one: %v", err)
	}
	t.Setenv("RUNG_REGISTRY_PASSWORD", "secret")
	if _, err := l.Push(t.Context(), r.Digest, addr+"/acme/x", Remote{}); err != nil {
		t.Error(err)
	}
	// The same from the file that docker login writes.
	noLogin(t)
	config := `{"auths":{"` + addr + `":{"auth":"cnVuZzpzZWNyZXQ="}}}`
	if err := os.WriteFile(filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := layout(t).Pull(t.Context(), addr+"/acme/x:v1", Remote{}); err != nil {
		t.Error(err)
	}
}

// liar is a registry that answers with what it is told to, by path.
func liar(t *testing.T, answers map[string][]byte) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := answers[strings.TrimPrefix(r.URL.Path, "/v2/a/b/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		sum := sha256.Sum256(body)
		if strings.HasPrefix(r.URL.Path, "/v2/a/b/manifests/") {
			w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
			w.Header().Set("Docker-Content-Digest", "sha256:"+hex.EncodeToString(sum[:]))
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body)
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://") + "/a/b"
}

func TestALyingRegistryIsNotBelieved(t *testing.T) {
	noLogin(t)
	l := layout(t)
	r := putRelease(t, l, "v1")
	m, desc, err := l.manifest(t.Context(), r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	honest := map[string][]byte{}
	read := func(d ocispec.Descriptor) []byte {
		b, err := os.ReadFile(l.BlobPath(rung.Digest(d.Digest.Encoded())))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	honest["manifests/v1"], honest["manifests/"+string(desc.Digest)] = read(desc), read(desc)
	for _, d := range append(m.Layers, m.Config) {
		honest["blobs/"+string(d.Digest)] = read(d)
	}
	if _, err := layout(t).Pull(t.Context(), liar(t, honest)+":v1", Remote{}); err != nil {
		t.Fatalf("honest: %v", err)
	}
	for name, lie := range map[string]func(a map[string][]byte){
		"another part": func(a map[string][]byte) { a["blobs/"+string(m.Layers[2].Digest)] = make([]byte, m.Layers[2].Size) },
		"a longer part": func(a map[string][]byte) {
			a["blobs/"+string(m.Layers[1].Digest)] = append(read(m.Layers[1]), "more"...)
		},
		"a shorter part":   func(a map[string][]byte) { a["blobs/"+string(m.Layers[2].Digest)] = read(m.Layers[2])[:10] },
		"another config":   func(a map[string][]byte) { a["blobs/"+string(m.Config.Digest)] = make([]byte, m.Config.Size) },
		"another manifest": func(a map[string][]byte) { a["manifests/"+string(desc.Digest)] = make([]byte, desc.Size) },
		"an HTML page":     func(a map[string][]byte) { a["manifests/v1"] = []byte("<html>") },
	} {
		t.Run(name, func(t *testing.T) {
			answers := map[string][]byte{}
			for k, v := range honest {
				answers[k] = v
			}
			lie(answers)
			to := layout(t)
			ref := liar(t, answers) + ":v1"
			if name == "another manifest" {
				ref = strings.TrimSuffix(ref, ":v1") + "@" + string(desc.Digest)
			}
			if _, err := to.Pull(t.Context(), ref, Remote{}); err == nil {
				t.Error("believed")
			} else if code := rung.CodeOf(err); code != rung.CodeInput && code != rung.CodeProvider && code != rung.CodeNotFound {
				t.Errorf("%v", err)
			}
			if tags, _ := to.List(); len(tags) != 0 {
				t.Errorf("kept %v", tags)
			}
		})
	}
}

func TestReferencesAndAddressesThatDoNotWork(t *testing.T) {
	noLogin(t)
	l := layout(t)
	r := putRelease(t, l, "v1")
	for _, c := range []struct {
		ref  string
		code rung.Code
	}{
		{"not a reference", rung.CodeUsage}, {"tickets", rung.CodeUsage}, {"127.0.0.1:1/a/b:v1", rung.CodeUnreachable},
		{"127.0.0.1:1/a/b@sha256:" + string(r.Digest), rung.CodeUsage}, {"127.0.0.1:1/A/../b:v1", rung.CodeUsage},
	} {
		if _, err := l.Push(t.Context(), r.Digest, c.ref, Remote{Timeout: 5 * time.Second}); rung.CodeOf(err) != c.code && !(c.code == rung.CodeUnreachable && rung.CodeOf(err) == rung.CodeTimeout) {
			t.Errorf("%s: %v", c.ref, err)
		}
	}
	if _, err := l.Pull(t.Context(), "127.0.0.1:1/a/b", Remote{}); rung.CodeOf(err) != rung.CodeUsage {
		t.Errorf("%v", err)
	}
}
