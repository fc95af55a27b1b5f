package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// gitLimit bounds one call of git, which may have to look at a large work tree.
const gitLimit = 30 * time.Second

// workTree is what Git says about the work tree that holds a task file. Outside of one, and without Git, it is empty.
type workTree struct {
	root    string
	commit  string
	changed []string // files with changes, at most as many as git says
}

// git runs one command of Git in dir, without taking locks or asking anything.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gitLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", &rung.Error{Code: rung.CodeTimeout, Place: dir, What: "git did not answer in time", Do: "look at the repository", Err: ctx.Err()}
	}
	return strings.TrimRight(out.String(), "\n"), err
}

// gitState reads the commit and the changes of the work tree around file. The store's own files do not count as changes.
func gitState(ctx context.Context, file, store string) (workTree, error) {
	dir := filepath.Dir(file)
	root, err := git(ctx, dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return workTree{}, onlyTimeout(err) // no git, or no work tree
	}
	w := workTree{root: root}
	if w.commit, err = git(ctx, dir, "rev-parse", "--verify", "-q", "HEAD"); err != nil {
		if err := onlyTimeout(err); err != nil {
			return w, err
		}
		w.commit = "" // nothing is committed yet
	}
	args := []string{"status", "--porcelain", "-z", "--", ":/"}
	if inside, ok := within(root, store); ok {
		args = append(args, ":(exclude,top)"+inside)
	}
	status, err := git(ctx, dir, args...)
	if err != nil {
		return w, &rung.Error{Code: rung.CodeInput, Place: root, What: "git cannot say whether the work tree has changes: " + err.Error(), Do: "mend the repository", Err: err}
	}
	for entry := range strings.SplitSeq(status, "\x00") {
		if len(entry) > 3 {
			w.changed = append(w.changed, entry[3:])
		}
	}
	return w, nil
}

func onlyTimeout(err error) error {
	var known *rung.Error
	if errors.As(err, &known) {
		return err
	}
	return nil
}

// within gives path relative to root where it is inside.
func within(root, path string) (string, bool) {
	real := func(p string) string {
		abs, err := filepath.Abs(p)
		if err != nil {
			return p
		}
		if resolved, err := filepath.EvalSymlinks(abs); err == nil {
			return resolved
		}
		return abs
	}
	rel, err := filepath.Rel(real(root), real(path))
	if err != nil || rel == "." || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

func (w *workTree) refusal() error {
	shown := strings.Join(w.changed[:min(len(w.changed), 3)], ", ")
	if n := len(w.changed) - 3; n > 0 {
		shown += fmt.Sprintf(" and %d more", n)
	}
	return &rung.Error{Code: rung.CodeInput, Place: w.root, What: "the work tree has changes that are not committed (" + shown + "), so no commit names what is released",
		Do: "commit them, or release all the same with --allow-dirty"}
}

// Who is the person at the keyboard: as Git knows them in dir, else by the name of the account.
func Who(ctx context.Context, dir string) string {
	name, _ := git(ctx, dir, "config", "user.name")  // without git the account will do
	mail, _ := git(ctx, dir, "config", "user.email") // the same
	switch {
	case name != "" && mail != "":
		return name + " <" + mail + ">"
	case name != "" || mail != "":
		return cmp.Or(name, mail)
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "unknown"
}

// modified is when a file was changed; the zero time where that is not known.
func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
