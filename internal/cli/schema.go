package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung/internal/task"
)

func newSchemaCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "schema [task|dataset]",
		GroupID: "task",
		Short:   "Print the JSON Schema of the task file or of a dataset's description, for editors",
		Long: `Schema prints the JSON Schema of the task file, or of the description that rung data build reads. Editors that know YAML check and
complete such a file with it:

  rung schema > task.schema.json

and on the first line of the task file:

  # yaml-language-server: $schema=task.schema.json`,
		Example: "  rung schema > task.schema.json\n  rung schema dataset > dataset.schema.json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] != "task" && args[0] != "dataset" {
				return usage("rung schema takes task or dataset, got %q", strings.Join(args, " "))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			schema := task.Schema()
			if len(args) == 1 && args[0] == "dataset" {
				schema = task.DescriptionSchema()
			}
			_, err := s.Out.Write(schema)
			return err
		},
	}
}
