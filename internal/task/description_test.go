package task_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/task"
)

func TestGoodDescriptions(t *testing.T) {
	schema := compiled(t, task.DescriptionSchema())
	for _, archive := range archives(t, "description/good") {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar"), func(t *testing.T) {
			if err := schema.Validate(instance(t, archive)); err != nil {
				t.Errorf("the schema: %v", err)
			}
			unpack(t, archive)
			f, err := task.OpenDescription("dataset.yaml")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, archive, strings.ReplaceAll(fmt.Sprintf("%s\n", fields(*f.Description)), f.Description.Dir, "DIR"))
		})
	}
}

// fields shows a description with one line for each of its parts.
func fields(d task.Description) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name %s\nout %s\ntask %s %s\ninput %v\noutput %+v\n", d.Name, d.Out, d.TaskOf, d.Task, d.Input, d.Output)
	for _, s := range d.Sources {
		fmt.Fprintf(&b, "source %+v\n", s)
	}
	fmt.Fprintf(&b, "check %+v\npii %+v\ndedupe %+v\nagainst %+v\ngenerated heldout %v\nsplit %+v %+v %v", d.Check, d.PII, d.Dedupe, d.Against, d.GeneratedHeldout, d.Split, d.SplitRules, d.SplitStated)
	return b.String()
}

func TestBadDescriptions(t *testing.T) {
	schema := compiled(t, task.DescriptionSchema())
	for _, archive := range archives(t, "description/bad") {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar"), func(t *testing.T) {
			if schema.Validate(instance(t, archive)) == nil {
				t.Error("the schema accepts it")
			}
			unpack(t, archive)
			_, err := task.OpenDescription("dataset.yaml")
			var all rung.Errors
			if !errors.As(err, &all) {
				t.Fatalf("%T is no rung.Errors: %v", err, err)
			}
			var b strings.Builder
			for _, e := range all {
				if e.Code != rung.CodeInput || e.Place == "" || e.What == "" || e.Do == "" {
					t.Errorf("incomplete: %+v", e)
				}
				fmt.Fprintln(&b, e.Error())
				for _, line := range strings.Split(e.Excerpt, "\n") {
					if e.Excerpt != "" {
						fmt.Fprintln(&b, "  | "+strings.TrimRight(line, " "))
					}
				}
			}
			golden(t, archive, b.String())
		})
	}
}
