package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/tune"
	"github.com/rung-dev/rung/internal/venv"
)

// finding is one thing that doctor looked at.
type finding struct {
	Name   string `json:"name"`
	State  state  `json:"state"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"` // the command or step that changes it
}

type state string

// The states of a finding: there, not there, there but worth a look, and not there but not needed either.
const (
	fine     state = "ok"
	missing  state = "missing"
	warning  state = "warning"
	optional state = "optional"
)

// diagnosis is the document of rung doctor --json.
type diagnosis struct {
	Version  string    `json:"version"`
	Local    bool      `json:"local"`    // local/… models work
	Training bool      `json:"training"` // the lora rungs work
	Findings []finding `json:"findings"`
	Fix      string    `json:"fix,omitempty"` // the one command that installs all that is missing
}

func newDoctorCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "doctor",
		GroupID: "machine",
		Short:   "Say what is installed, what is missing, and the one command that fixes it",
		Long: `Doctor looks at this machine and changes nothing: the local engine and its models, the training environment, Python,
the compiler, memory, disk, processors, GPU, and which API keys are set (never their values). Nothing of it is needed for
a task that uses hosted models only and does not train.`,
		Args: exactArgs(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := diagnose(c.Context())
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(d)
			}
			printDiagnosis(s, d)
			return nil
		},
	}
}

func diagnose(ctx context.Context) (*diagnosis, error) {
	cache, err := venv.CacheDir()
	if err != nil {
		return nil, err
	}
	d := &diagnosis{Version: Version}
	add := func(f ...finding) { d.Findings = append(d.Findings, f...) }
	add(finding{"rung", fine, fmt.Sprintf("%s, %s, %s/%s", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH), ""})
	add(findProcessors(ctx), findMemory(), findDisk(cache), findGPU(ctx))
	python := findPython(ctx)
	local, localWorks := findEngine(engine.Inspect(cache))
	training := findTraining()
	d.Local, d.Training = localWorks, training.State == fine
	add(python)
	add(local...)
	add(training, findCompiler())
	add(findKeys()...)
	add(findStore())
	switch {
	case python.State == missing && (!d.Training || !d.Local):
		d.Fix = python.Fix
	case !d.Training:
		d.Fix = "rung setup --training"
	case !d.Local:
		d.Fix = "rung setup"
	}
	return d, nil
}

func findProcessors(ctx context.Context) finding {
	busy := engine.Busy(ctx)
	f := finding{"processors", fine, fmt.Sprintf("%d, %.0f %% in use", runtime.NumCPU(), 100*busy), ""}
	if busy >= 0.5 {
		f.State, f.Fix = warning, "close what else computes: local models and training get slower out of proportion"
	}
	return f
}

func findMemory() finding {
	total, free := memory()
	if total == 0 {
		return finding{"memory", optional, "unknown on this system", ""}
	}
	f := finding{"memory", fine, fmt.Sprintf("%s, %s free", bytesText(total), bytesText(free)), ""}
	if free < 2<<30 {
		f.State, f.Fix = warning, "free some: the local engine wants 1 GiB, training 2 GiB"
	}
	return f
}

func findDisk(cache string) finding {
	free, ok := diskFree(cache)
	if !ok {
		return finding{"disk", warning, cache + ": its free space is unknown", ""}
	}
	f := finding{"disk", fine, fmt.Sprintf("%s free for %s", bytesText(free), cache), ""}
	if free < 8<<30 {
		f.State, f.Fix = warning, "free some, or set RUNG_CACHE to another disk: the engine and its models take 1 GB, training up to 7 GB"
	}
	return f
}

func findGPU(ctx context.Context) finding {
	gpu := engine.FindGPU(ctx)
	switch {
	case gpu == "":
		return finding{"gpu", optional, "none found by nvidia-smi; the processors do the work", ""}
	case engine.FindServer() == "":
		return finding{"gpu", optional, gpu + "; training uses it, the wheel's engine cannot", "put a llama-server built with CUDA on PATH"}
	}
	return finding{"gpu", fine, gpu + "; models are put on it (-ngl 999)", ""}
}

func findPython(ctx context.Context) finding {
	p, err := venv.FindPython(ctx)
	if err != nil {
		what, do := whatAndDo(err)
		return finding{"python", missing, what, do}
	}
	return finding{"python", fine, p.Version + " at " + p.Path, ""}
}

func findEngine(f engine.Found) (out []finding, works bool) {
	works = true
	switch {
	case f.Server != "":
		out = append(out, finding{"engine", fine, "llama-server at " + f.Server, ""})
	case f.Wheel != "":
		out = append(out, finding{"engine", fine, "xllamacpp in " + filepath.Dir(filepath.Dir(f.Wheel)), ""})
	default:
		works = false
		out = append(out, finding{"engine", missing, "no llama-server on PATH, and xllamacpp is not installed", "rung setup"})
	}
	for _, m := range f.Models {
		name := "model"
		if m.Embedder {
			name = "embedder"
		}
		if m.Path == "" {
			works = false
			out = append(out, finding{name, missing, string(m.Ref) + " is not installed", "rung setup"})
			continue
		}
		out = append(out, finding{name, fine, fmt.Sprintf("%s at %s (sha256 %s)", m.Ref, m.Path, m.Digest.Short()), ""})
	}
	return out, works
}

func findTraining() finding {
	if python, ok := trainingReady(); ok {
		return finding{"training", fine, "in " + filepath.Dir(filepath.Dir(python)), ""}
	}
	return finding{"training", missing, "the training environment (torch, PEFT) is not installed; only lora and rag+lora need it", "rung setup --training"}
}

func trainingReady() (python string, ok bool) {
	if own := os.Getenv("RUNG_PYTHON_TRAIN"); own != "" {
		return own, true
	}
	lock, err := tune.Lock()
	if err != nil {
		return "", false
	}
	return venv.Ready("train", lock)
}

func findCompiler() finding {
	for _, name := range []string{"cc", "gcc", "clang"} {
		if path, err := exec.LookPath(name); err == nil {
			return finding{"compiler", fine, path, ""}
		}
	}
	return finding{"compiler", optional, "none; training then runs without compiled kernels, slower", "install gcc (Debian and Ubuntu: apt install gcc)"}
}

// findKeys says whether keys are set, and never what they are.
func findKeys() []finding {
	var out []finding
	for _, k := range []struct{ env, provider string }{{"OPENAI_API_KEY", "openai/…"}, {"ANTHROPIC_API_KEY", "anthropic/…"}} {
		if os.Getenv(k.env) != "" {
			out = append(out, finding{"key", fine, k.env + " is set, for " + k.provider, ""})
			continue
		}
		out = append(out, finding{"key", optional, k.env + " is not set; only " + k.provider + " needs it", ""})
	}
	return out
}

func findStore() finding {
	dir, err := os.Getwd()
	if err != nil {
		return finding{"store", warning, "the working directory cannot be read: " + err.Error(), ""}
	}
	for at := dir; ; at = filepath.Dir(at) {
		if path := filepath.Join(at, storeName); isDir(path) {
			return finding{"store", fine, path, ""}
		}
		if filepath.Dir(at) == at {
			return finding{"store", optional, "none here or above; the first rung climb makes one beside the task file", ""}
		}
	}
}

func printDiagnosis(s *settings, d *diagnosis) {
	marks := map[state]string{fine: "ok", missing: "MISSING", warning: "warning", optional: "-"}
	for _, f := range d.Findings {
		fmt.Fprintf(s.Out, "%-8s %-11s %s\n", marks[f.State], f.Name, f.Detail)
		if f.Fix != "" {
			fmt.Fprintf(s.Out, "%-8s %-11s → %s\n", "", "", f.Fix)
		}
	}
	fmt.Fprintln(s.Out)
	if d.Fix == "" {
		fmt.Fprintln(s.Out, "Everything is there.")
		return
	}
	var works []string
	if d.Local {
		works = append(works, "local models")
	}
	if d.Training {
		works = append(works, "training")
	}
	if len(works) == 0 {
		works = append(works, "hosted models only")
	}
	fmt.Fprintf(s.Out, "Works now: %s. For the rest: %s\n", strings.Join(works, ", "), d.Fix)
}

// bytesText is a number of bytes for people.
func bytesText(n uint64) string {
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
