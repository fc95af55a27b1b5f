package curate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/curate"
	"github.com/rung-dev/rung/internal/pii"
)

const vaultKey = "0123456789abcdef0123456789abcdef"

// vaulted is the usual project with a vault.
func vaulted(t *testing.T, vault string) string {
	t.Helper()
	dir := usual(t)
	write(t, dir, "key", vaultKey)
	write(t, dir, "dataset.yaml", strings.Replace(described, "pii: redact", "pii: {do: redact, key_file: key, vault: "+vault+"}", 1))
	return dir
}

// openedVault reads a vault.
func openedVault(t *testing.T, path, key string) *pii.Vault {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"ann.miller", "4111"} {
		if bytes.Contains(b, []byte(value)) {
			t.Errorf("the vault holds %s as it is", value)
		}
	}
	v, err := pii.OpenVault(bytes.NewReader(b), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTheVaultPutsRowsBack: every changed row of the dataset, and no other, is in the vault as it was, under the row that the dataset has; so
// also when the build was ended between the steps. Neither the folder nor what is left beside it holds a value.
func TestTheVaultPutsRowsBack(t *testing.T) {
	for _, end := range []string{"", "dedupe", "split"} {
		dir := vaulted(t, "safe/rows.vault")
		if end != "" {
			endAt(t, dir, end)
		}
		r := mustBuild(t, dir)
		vault := filepath.Join(dir, "safe", "rows.vault")
		v := openedVault(t, vault, vaultKey)
		if r.Vault != vault || r.Vaulted != 2 || v.Left() != 2 {
			t.Errorf("ended at %q: %d rows in %s, %d of them in the file", end, r.Vaulted, r.Vault, v.Left())
		}
		all := contents(t, r.Folder)
		back := ""
		for line := range strings.Lines(all["train.jsonl"] + all["dev.jsonl"] + all["heldout.jsonl"] + all["unlabelled.jsonl"]) {
			now := strings.TrimSuffix(line, "\n")
			was, ok := v.Take([]byte(now))
			if ok != strings.Contains(now, "<") {
				t.Errorf("ended at %q: in the vault: %v, row %s", end, ok, now)
			}
			if ok {
				back += string(was) + "\n"
				var a, b rung.DatasetRow
				if json.Unmarshal([]byte(now), &a) != nil || json.Unmarshal(was, &b) != nil || a.ID != b.ID || a.Split != b.Split || string(a.Output) != string(b.Output) {
					t.Errorf("ended at %q: %s became %s", end, was, now)
				}
			}
		}
		if !strings.Contains(back, "ann.miller@example.org") || !strings.Contains(back, "4111 1111 1111 1111") || v.Left() != 0 {
			t.Errorf("ended at %q: put back: %s, %d left", end, back, v.Left())
		}
		for name, text := range all {
			if strings.Contains(text, "ann.miller") {
				t.Errorf("%s holds a value", name)
			}
		}
		if !strings.Contains(all["report.html"], "pseudonymous data and not anonymous") || !strings.Contains(all["README.md"], "in a vault outside this folder") {
			t.Error("report and card do not say that there is a vault")
		}
		if left := leftovers(t, dir, "dataset.yaml", "raw.jsonl", "test.jsonl", "key", "safe", "tickets"); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
		if info, err := os.Stat(vault); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the vault: %v %v", info, err)
		}
	}
}

// TestTheVaultIsKeptApartAndWhole: it is refused in the folder, also by a link, and among raw files; a second build leaves it, or writes it
// again where it is gone; no other file gives way to it without --replace, which keeps that one; a dry run makes none.
func TestTheVaultIsKeptApartAndWhole(t *testing.T) {
	for _, inside := range []string{"tickets/rows.vault", "tickets", "link/rows.vault", "raw.jsonl"} {
		dir := vaulted(t, inside)
		if err := os.Symlink(filepath.Join(dir, "tickets"), filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "tickets"), 0o700); err != nil {
			t.Fatal(err)
		}
		var e *rung.Error
		if _, err := build(t, dir, curate.Options{Version: "v"}); !errors.As(err, &e) || e.Code != rung.CodeInput || !strings.Contains(e.Place, "dataset.yaml:7") {
			t.Errorf("%s: %v", inside, err)
		}
	}
	dir := vaulted(t, "rows.vault")
	path := filepath.Join(dir, "rows.vault")
	if _, err := build(t, dir, curate.Options{Version: "v", DryRun: true}); err != nil || names(t, dir)["rows.vault"] {
		t.Errorf("a dry run: %v, and %v", err, names(t, dir))
	}
	first := mustBuild(t, dir)
	before := vaultBytes(t, dir)
	if r := mustBuild(t, dir); r.State != curate.Unchanged || vaultBytes(t, dir) != before {
		t.Errorf("built again: %s, or the vault was written anew", r.State)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if r := mustBuild(t, dir); r.State != curate.Unchanged || openedVault(t, path, vaultKey).Left() != 2 {
		t.Errorf("a vault that was gone: %s", r.State)
	}
	write(t, dir, "key", strings.ToUpper(vaultKey))
	if _, err := build(t, dir, curate.Options{Version: "v"}); rung.CodeOf(err) != rung.CodeConflict {
		t.Errorf("another key: %v", err)
	}
	r, err := build(t, dir, curate.Options{Version: "v", Replace: true})
	if err != nil || r.Dataset.Digest != first.Dataset.Digest || openedVault(t, path, strings.ToUpper(vaultKey)).Left() != 2 || openedVault(t, r.OldVault, vaultKey).Left() != 2 {
		t.Errorf("with --replace: %v, the old vault is in %q", err, r.OldVault)
	}
}

// vaultBytes is the vault of a project as it lies there.
func vaultBytes(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "rows.vault"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
