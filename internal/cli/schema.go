package cli

import (
	"github.com/spf13/cobra"

	"github.com/rung-dev/rung/internal/task"
)

func newSchemaCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		GroupID: "task",
		Short:   "Print the JSON Schema of the task file, for editors",
		Long: `Schema prints the JSON Schema of the task file. Editors that know YAML check and complete a task file with it:

  rung schema > task.schema.json

and on the first line of the task file:

  # yaml-language-server: $schema=task.schema.json`,
		Args: exactArgs(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			_, err := s.Out.Write(task.Schema())
			return err
		},
	}
}
