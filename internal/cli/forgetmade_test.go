package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/registry"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// trainedOn puts a run with an adapter into the store, as a climb leaves it, and its release; lineage says which rows it learned from (nil: it
// was not kept).
func trainedOn(t *testing.T, dir, version string, lineage *recipe.Lineage) rung.Digest {
	t.Helper()
	ctx := t.Context()
	st, err := sqlite.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	weights := []byte("weights of " + version)
	c := rung.Candidate{Rung: rung.LoRA, Model: "local/some", Weights: rung.DigestBytes([]byte("base")), Instructions: "long or short",
		Adapter: &rung.Adapter{Digest: rung.DigestBytes(weights), Base: rung.DigestBytes([]byte("base")), Data: rung.DigestBytes([]byte("rows of " + version))}}
	digest, err := st.PutCandidate(ctx, &c)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(rung.Document{Run: version, Task: "words", Rungs: []rung.Outcome{{Rung: rung.LoRA, Candidate: digest}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.PutRun(ctx, store.Run{ID: version, Task: "words", Status: store.Done, Document: doc, Started: time.Unix(1, 0)}); err != nil {
		t.Fatal(err)
	}
	if lineage != nil {
		b, err := json.Marshal(lineage)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.PutStep(ctx, recipe.LineageStep(c.Adapter.Data), b); err != nil {
			t.Fatal(err)
		}
	}
	sh, err := openShelfIn(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer sh.Close()
	r := rung.Release{Task: "words", Version: version, Candidate: c, Base: rung.BaseModel{Model: c.Model, Weights: c.Weights, Licence: "Apache-2.0"}, At: time.Unix(2, 0).UTC()}
	if _, err := sh.layout.Put(ctx, &r, []registry.Content{{Kind: registry.Adapter, Bytes: weights}}); err != nil {
		t.Fatal(err)
	}
	if err := sh.serving.PutRelease(ctx, app.LineOf(&r)); err != nil {
		t.Fatal(err)
	}
	return c.Adapter.Digest
}

func TestForgetNamesWhatLearnedFromThePerson(t *testing.T) {
	serve(t, knows)
	file, dir := governedTask(t, "[train, prompt, evaluate]")
	climbJSON(t, file)
	adapters := map[rung.Digest]string{
		trainedOn(t, dir, "t1", &recipe.Lineage{Train: []string{"w0", "w1"}, Dev: []string{"w2"}, Dir: "job"}): "was trained on 1 of them",
		trainedOn(t, dir, "t2", &recipe.Lineage{Train: []string{"w1"}, Dev: []string{"w0"}, Dir: "job2"}):      "was not trained on them; its settings were chosen on 1 of them",
		trainedOn(t, dir, "t3", &recipe.Lineage{Train: []string{"w1"}, Dev: []string{"w2"}, Dir: "job3"}):      "",
		trainedOn(t, dir, "t4", nil): "may have been trained on them",
	}
	vault, key := vaultOf(t, words[0], words[1])
	forget := func(extra ...string) (e app.Erasure) {
		t.Helper()
		decodeJSON(t, &e, append([]string{"data", "forget", "--row", "w0", "--text", words[0], "--store", dir, "--vault", vault, "--key-file", key, "--json"}, extra...)...)
		return e
	}
	dry := forget()
	for digest, want := range adapters {
		if got := howOf(dry.Made, "adapter", digest.Short()); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("adapter %s %q, not %q", digest.Short(), got, want)
		}
	}
	for version, want := range map[string]string{"t1": "its adapter was trained on 1", "t2": "its adapter was not trained", "t3": "", "t4": "its adapter may have"} {
		if got := howOf(dry.Made, "release", "words@"+version); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("release %s %q, not %q", version, got, want)
		}
	}
	if fileSize(t, vault) == 0 || dry.Vault == nil || *dry.Vault != 1 {
		t.Fatalf("vault: %v", dry.Vault)
	}
	for _, release := range []string{"words@t1", "words@t3"} {
		review := []string{"review", release, "--store", dir}
		for _, q := range app.ReviewTemplate {
			review = append(review, "--answer", q.Key+"=looked at")
		}
		mustRun(t, append(review, "--sign", "--name", "Ada")...)
	}
	was := fileSize(t, vault)
	if done := forget("--yes"); *done.Vault != 1 || fileSize(t, vault) >= was || len(done.Made) != len(dry.Made) {
		t.Errorf("vault %d, %d bytes of %d, made %+v", *done.Vault, fileSize(t, vault), was, done.Made)
	}
	reviewAfter(t, dir, "words@t1", rung.ReviewDraft, 1)
	reviewAfter(t, dir, "words@t3", rung.ReviewSigned, 0)
	forget("--yes")
	reviewAfter(t, dir, "words@t1", rung.ReviewDraft, 1, "--fresh")
	reviewAfter(t, dir, "words@t2", rung.ReviewDraft, 1)
	// Another request, later: what an adapter learned from must be known still.
	if got := howOf(forgetOf(t, dir, "w1").Made, "adapter", rung.DigestBytes([]byte("weights of t3")).Short()); got != "was trained on 1 of them" {
		t.Errorf("after an erasure, adapter t3 %q", got)
	}
}

// reviewAfter holds a review to what an erasure does to it: where the release holds what was erased, or learned from it, the review says so,
// once, and is to be signed again, also when what is known is read anew.
func reviewAfter(t *testing.T, dir, release string, state rung.ReviewState, said int, flags ...string) {
	t.Helper()
	var v rung.Review
	decodeJSON(t, &v, append([]string{"review", release, "--store", dir, "--json"}, flags...)...)
	n := 0
	for i := range v.Sections {
		n += strings.Count(v.Sections[i].Known, "Rows of a person were erased; "+release+": its adapter was")
	}
	if v.State != state || (state == rung.ReviewDraft) != (len(v.SignOffs) == 0) || n != said {
		t.Errorf("%s: %s, signed by %d, said %d times", release, v.State, len(v.SignOffs), n)
	}
}

func forgetOf(t *testing.T, dir, id string) (e app.Erasure) {
	t.Helper()
	decodeJSON(t, &e, "data", "forget", "--row", id, "--store", dir, "--json")
	return e
}

func howOf(made []app.MadeFrom, kind, name string) string {
	for _, m := range made {
		if m.Kind == kind && strings.HasPrefix(m.Name, name) {
			return m.How
		}
	}
	return ""
}

func vaultOf(t *testing.T, texts ...string) (path, key string) {
	t.Helper()
	dir := t.TempDir()
	path, key = filepath.Join(dir, "vault"), filepath.Join(dir, "key")
	secret := bytes.Repeat([]byte("k"), 32)
	put(t, dir, "key", string(secret))
	var b bytes.Buffer
	w, err := pii.NewVault(&b, secret)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if err := w.Put([]byte{byte(i)}, []byte(`{"input":{"word":"`+text+`"}}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "vault", b.String())
	return path, key
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
