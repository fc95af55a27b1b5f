package program_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/program"
)

// kept is a store of steps in memory; the real one has a suite of its own.
type kept struct {
	mu    sync.Mutex
	steps map[string][]byte
}

func (k *kept) PutStep(_ context.Context, key string, value []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.steps[key] = value
	return nil
}

func (k *kept) Step(_ context.Context, key string) ([]byte, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.steps[key]
	return v, ok, nil
}

// shell is a program that the shell runs.
func shell(t *testing.T, script string, change func(*program.Config)) *program.Program {
	t.Helper()
	c := program.Config{Metric: "mine", Dir: t.TempDir(), Spec: rung.ProgramSpec{
		Run: []string{"/bin/sh", "-c", script}, Timeout: 20 * time.Second, Memory: 1 << 30, Processes: 1}}
	if change != nil {
		change(&c)
	}
	p, err := program.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func row(id, output string) program.Row {
	return program.Row{ID: id, Input: json.RawMessage(`{"text":"hi"}`), Output: json.RawMessage(output), Expected: []json.RawMessage{json.RawMessage(`"yes"`)}}
}

func score(t *testing.T, p *program.Program, r program.Row) rung.OutsideValue {
	t.Helper()
	v, err := p.Score(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestOneProcessScoresAnswerAfterAnswer: it stays alive, reads the documented line, and may give a note.
func TestOneProcessScoresAnswerAfterAnswer(t *testing.T) {
	p := shell(t, `n=0
while read -r line; do
  n=$((n+1))
  case $line in
  '{"id":"a","input":{"text":"hi"},"output":"yes","expected":["yes"]}') echo '{"score": 1, "note": "the  first"}' ;;
  *) echo "{\"id\": \"b\", \"score\": 0.$n}" ;;
  esac
done`, nil)
	if v := score(t, p, row("a", `"yes"`)); v.Value != 1 || v.Note != "the first" || v.Failed != "" {
		t.Errorf("the first answer got %+v", v)
	}
	if v := score(t, p, row("b", `"no"`)); v.Value != .2 || v.Failed != "" {
		t.Errorf("the second answer got %+v: another process, or another line", v)
	}
}

// TestWhatGoesWrongIsAReason: nothing that a program does is a crash, a hole or a score by chance.
func TestWhatGoesWrongIsAReason(t *testing.T) {
	cases := []struct{ name, script, want string }{
		{"dies", `echo "boom: no model" >&2; exit 3`, "died: exit status 3: boom: no model"},
		{"ends", `exit 0`, "ended without an answer"},
		{"is killed", `kill -9 $$`, "died: signal: killed"},
		{"rubbish", `read -r l; echo hello world`, `printed "hello world", which is no JSON object`},
		{"empty line", `read -r l; echo`, "no JSON object"},
		{"no score", `read -r l; echo '{"value": 1}'`, "has no score"},
		{"null", `read -r l; echo '{"score": null}'`, "has no score"},
		{"NaN", `read -r l; echo '{"score": NaN}'`, "no JSON object"},
		{"NaN as text", `read -r l; echo '{"score": "NaN"}'`, "is no number"},
		{"too large", `read -r l; echo '{"score": 7}'`, "not between 0 and 1"},
		{"too small", `read -r l; echo '{"score": -0.1}'`, "not between 0 and 1"},
		{"huge number", `read -r l; echo '{"score": 1e999}'`, "is no number"},
		{"a long line", `read -r l; head -c 200000 /dev/zero | tr '\0' x; echo`, "more than 64 KiB"},
		{"no end of line", `read -r l; printf '{"score": 1}'`, "ended without an answer"},
		{"another answer", `read -r l; echo '{"id": "z", "score": 1}'`, `answered "z" where it was asked about "a"`},
		{"its own words", `read -r l; echo '{"error": "no such unit"}'; read -r l`, "the program says: no such unit"},
		{"bytes", `read -r l; printf '\377\376\n'`, "no JSON object"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := score(t, shell(t, c.script, nil), row("a", `"x"`))
			if !strings.Contains(v.Failed, c.want) || v.Value != 0 {
				t.Errorf("got %+v, want the reason %q", v, c.want)
			}
		})
	}
}

func TestTwoLinesForOneAnswer(t *testing.T) {
	p := shell(t, `while read -r l; do printf '{"score": 1}\n{"score": 0}\n'; done`, nil)
	first, second := score(t, p, row("a", `"x"`)), score(t, p, row("b", `"y"`))
	if first.Failed != "" || !strings.Contains(second.Failed, "which nobody asked for") {
		t.Errorf("got %+v and %+v: the second line was taken for the next answer's", first, second)
	}
}

func TestNoSuchProgram(t *testing.T) {
	p := shell(t, "", func(c *program.Config) { c.Spec.Run = []string{"rung-no-such-program"} })
	if v := score(t, p, row("a", `"x"`)); !strings.Contains(v.Failed, "not found") {
		t.Errorf("got %+v", v)
	}
}

func TestPassFailTakesNoShades(t *testing.T) {
	p := shell(t, `while read -r l; do echo '{"score": 0.5}'; done`, func(c *program.Config) { c.PassFail = true })
	if v := score(t, p, row("a", `"x"`)); !strings.Contains(v.Failed, "pass_fail is set") {
		t.Errorf("got %+v", v)
	}
	p = shell(t, `while read -r l; do echo '{"score": true}'; done`, func(c *program.Config) { c.PassFail = true })
	if v := score(t, p, row("a", `"x"`)); v.Value != 1 || v.Failed != "" {
		t.Errorf("true is %+v", v)
	}
}

// TestAHangingProgramIsKilledWithItsGroup: also what it has started itself.
func TestAHangingProgramIsKilledWithItsGroup(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	file := filepath.Join(t.TempDir(), "pid")
	p := shell(t, `sleep 1000 & echo $! > `+file+`; read -r l; wait`, func(c *program.Config) { c.Spec.Timeout = 2 * time.Second })
	v := score(t, p, row("a", `"x"`))
	if !strings.Contains(v.Failed, "did not answer within 2s") {
		t.Errorf("got %+v", v)
	}
	pid, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); alive(strings.TrimSpace(string(pid))); {
		if time.Now().After(end) {
			t.Fatalf("the process %s that it started lives on", pid)
		}
		runtime.Gosched()
	}
}

// alive reports whether a process runs; one that has ended and waits for its parent does not.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func TestAProgramThatAlwaysFailsIsGivenUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "starts")
	p := shell(t, `echo x >> `+file+`; exit 1`, nil)
	var last rung.OutsideValue
	for i := range 12 {
		last = score(t, p, row(fmt.Sprint(i), `"x"`))
		if last.Failed == "" {
			t.Fatalf("a program that ends gave %+v", last)
		}
	}
	starts, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(starts), "x"); n != 5 || !strings.Contains(last.Failed, "failed 5 times in a row and was given up: the program died: exit status 1") {
		t.Errorf("it was started %d times; the last reason is %q", n, last.Failed)
	}
}

// TestAFailureEndsWithTheNextScore: the process is started again, and one bad answer spoils no other.
func TestAFailureEndsWithTheNextScore(t *testing.T) {
	p := shell(t, `while read -r l; do case $l in *bad*) exit 1;; esac; echo '{"score": 1}'; done`, nil)
	for i := range 20 {
		output, want := `"good"`, 1.0
		if i%2 == 1 {
			output, want = `"bad"`, 0
		}
		if v := score(t, p, row(fmt.Sprint(i), output)); v.Value != want || (v.Failed == "") != (want == 1) {
			t.Errorf("answer %d got %+v", i, v)
		}
	}
}

// TestItSeesNoSecrets: of rung's environment it has PATH, and its home is an empty directory that goes with it.
func TestItSeesNoSecrets(t *testing.T) {
	t.Setenv("RUNG_TEST_SECRET", "sk-123")
	p := shell(t, `read -r l; printf '{"score": 1, "note": "%s"}\n' "$(env | sed 's/=.*//' | sort | tr '\n' ' ')$(ls -A "$HOME" | wc -l) $HOME"`, nil)
	v := score(t, p, row("a", `"x"`))
	names, home, _ := strings.Cut(v.Note, "/")
	for _, name := range strings.Fields(names) {
		switch name {
		case "PATH", "HOME", "TMPDIR", "LANG", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PWD", "SHLVL", "_", "OLDPWD", "0":
		default:
			t.Errorf("it sees %s", name)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/" + home); !errors.Is(err, os.ErrNotExist) || home == "" {
		t.Errorf("its home /%s is there after the end: %v", home, err)
	}
}

// TestMemoryIsLimited: a program that takes ever more dies, and says why.
func TestMemoryIsLimited(t *testing.T) {
	awk, err := exec.LookPath("awk")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("needs awk, and Linux for the limit")
	}
	p := shell(t, "", func(c *program.Config) {
		c.Spec.Run = []string{awk, `BEGIN { s = "xxxxxxxx"; while (1) s = s s }`}
		c.Spec.Memory = 64 << 20
	})
	start := time.Now()
	if v := score(t, p, row("a", `"x"`)); !strings.Contains(v.Failed, "died") && !strings.Contains(v.Failed, "ended") {
		t.Errorf("after %v: %+v", time.Since(start), v)
	}
}

// TestScoresAreKept: under the program's content and the answer, and failures are not.
func TestScoresAreKept(t *testing.T) {
	store := &kept{steps: map[string][]byte{}}
	dir := t.TempDir()
	write := func(body string) *program.Program {
		if err := os.WriteFile(filepath.Join(dir, "m.sh"), []byte(body), 0o700); err != nil {
			t.Fatal(err)
		}
		return shell(t, "", func(c *program.Config) { c.Dir, c.Store, c.Spec.Run = dir, store, []string{"/bin/sh", "m.sh"} })
	}
	const counting = `while read -r l; do echo x >> asked; case $l in *bad*) exit 1;; esac; echo '{"score": 0.25}'; done`
	for range 2 {
		p := write(counting)
		if v := score(t, p, row("a", `"x"`)); v.Value != .25 {
			t.Errorf("got %+v", v)
		}
		score(t, p, row("b", `"bad"`))
	}
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(asked), "x"); n != 3 { // once the good one, twice the bad one
		t.Errorf("it was asked %d times", n)
	}
	if v := score(t, write(strings.Replace(counting, ".25", ".5", 1)), row("a", `"x"`)); v.Value != .5 {
		t.Errorf("another program got the score of the old one: %+v", v)
	}
}

func TestTheEndOfTheContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	started := filepath.Join(t.TempDir(), "started")
	p := shell(t, `read -r l; mkfifo `+started+`; echo > `+started+`; sleep 1000`, nil)
	go func() {
		for {
			if f, err := os.Open(started); err == nil { // a pipe: opens when the program has read its line
				_ = f.Close()
				cancel(why)
				return
			}
			runtime.Gosched()
		}
	}()
	if _, err := p.Score(ctx, row("a", `"x"`)); !errors.Is(err, why) {
		t.Errorf("the error is %v", err)
	}
}

// TestManyAtOnce: callers share the processes, and nobody gets another's score.
func TestManyAtOnce(t *testing.T) {
	p := shell(t, `while read -r l; do n=${l#*'"output":'}; n=${n%%,*}; echo "{\"score\": 0.$n}"; done`, func(c *program.Config) { c.Spec.Processes = 4 })
	var wg sync.WaitGroup
	for i := 10; i < 60; i++ {
		wg.Go(func() {
			v, err := p.Score(context.Background(), row(fmt.Sprint(i), fmt.Sprint(i)))
			if err != nil || v.Value != float64(i)/100 {
				t.Errorf("%d got %+v, %v", i, v, err)
			}
		})
	}
	wg.Wait()
}
