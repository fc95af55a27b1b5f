package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

type rateExportOptions struct {
	queue  string
	format string
	out    string
	config bool
}

// rateExported is what rung rate export --json prints when it writes a file.
type rateExported struct {
	Queue   string `json:"queue"`
	Format  string `json:"format"`
	File    string `json:"file"`
	Ratings int    `json:"ratings"`
}

func newRateExportCommand(s *settings) *cobra.Command {
	var o rateExportOptions
	c := &cobra.Command{
		Use:   "export QUEUE",
		Short: "Write a queue and its ratings for another tool or machine",
		Long: `Export writes the items of a queue and what people said of them. The format rung holds everything and names the candidates; the others
(label-studio, argilla, argilla-v1) are blind: people can rate there, and rung rate import takes their ratings back.
--label-config writes the labelling interface for Label Studio instead.`,
		Example: "  rung rate export answers -o answers.json\n  rung rate export answers --format label-studio -o tasks.json\n  rung rate export answers --label-config > label.xml",
		Args:    exactArgs(1, "one queue"),
		RunE: func(c *cobra.Command, args []string) error {
			o.queue = args[0]
			return runRateExport(c.Context(), s, &o)
		},
	}
	c.Flags().StringVar(&o.format, "format", "rung", "rung, label-studio, argilla or argilla-v1")
	c.Flags().StringVarP(&o.out, "out", "o", "-", "file to write to; - is standard output")
	c.Flags().BoolVar(&o.config, "label-config", false, "write the labelling interface for Label Studio")
	return c
}

func runRateExport(ctx context.Context, s *settings, o *rateExportOptions) (err error) {
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	q, err := st.RatingQueue(ctx, o.queue)
	if err != nil {
		return err
	}
	ratings, err := ratingsOf(ctx, st, q.Name)
	if err != nil {
		return err
	}
	seats, err := st.RatingSeats(ctx, q.Name)
	if err != nil {
		return err
	}
	content := []byte(rating.LabelConfig(q))
	if !o.config {
		if content, err = rating.Export(q, seats, ratings, rating.Format(o.format)); err != nil {
			return err
		}
	}
	if o.out == "-" {
		_, err := s.Out.Write(content)
		return err
	}
	if err := os.WriteFile(o.out, content, 0o600); err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: o.out, What: "cannot be written: " + err.Error(), Do: "name another place with -o", Err: err}
	}
	if s.json {
		return s.printJSON(rateExported{q.Name, o.format, o.out, len(ratings)})
	}
	_, err = fmt.Fprintf(s.Out, "%s: %d ratings\n", o.out, len(ratings))
	return err
}

func ratingsOf(ctx context.Context, st store.Ratings, queue string) ([]rung.Rating, error) {
	var out []rung.Rating
	for r, err := range st.Ratings(ctx, store.RatingFilter{Queue: queue}) {
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

type rateImportOptions struct {
	file   string
	format string
	queue  string
	task   string
	fields []string
}

// rateImported is what rung rate import --json prints.
type rateImported struct {
	Queue   string `json:"queue"`
	Made    bool   `json:"made"`    // the queue was not there before
	Read    int    `json:"read"`    // ratings in the file
	New     int    `json:"new"`     // of these, kept now
	Unknown int    `json:"unknown"` // records of items that the queue does not have
}

func newRateImportCommand(s *settings) *cobra.Command {
	var o rateImportOptions
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Read ratings that were given elsewhere",
		Long: `Import reads ratings and adds those that are new; nothing is replaced. A file that was exported here goes to its queue. From another
file a queue is made under the name of --queue: in the formats of Label Studio and Argilla, --field says which of the file's fields are
the input, the left and right answers, or the answer alone; rows are JSON lines with an example, its answers by candidate, and
what each person said.`,
		Example: "  rung rate import tasks.json --format label-studio --queue answers\n  rung rate import people.jsonl --format rows --queue people --task tickets",
		Args:    exactArgs(1, "one file"),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = args[0]
			return runRateImport(c.Context(), s, &o)
		},
	}
	c.Flags().StringVar(&o.format, "format", "rung", "rung, rows, label-studio, argilla or argilla-v1")
	c.Flags().StringVar(&o.queue, "queue", "", "queue that the ratings belong to, or that is made")
	c.Flags().StringVar(&o.task, "task", "", "task of a queue that is made")
	c.Flags().StringSliceVar(&o.fields, "field", nil, "what stands where, such as left=response1 (input, left, right, answer)")
	return c
}

// runLabelImport reads labels; only the format rung brings its queue along.
func runLabelImport(ctx context.Context, s *settings, o *rateImportOptions) (err error) {
	if o.format == string(rating.RungFormat) {
		return runRateImport(ctx, s, o)
	}
	content, err := os.ReadFile(o.file)
	if err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: o.file, What: "cannot be read: " + err.Error(), Do: "check the path", Err: err}
	}
	if o.queue == "" {
		o.queue = rating.QueueIn(content)
	}
	if o.queue == "" {
		return usage("the file does not say of which queue its labels are: name it with --queue")
	}
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	_, err = labelQueue(ctx, st, o.queue)
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	return runRateImport(ctx, s, o)
}

func runRateImport(ctx context.Context, s *settings, o *rateImportOptions) (err error) {
	content, err := os.ReadFile(o.file)
	if err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: o.file, What: "cannot be read: " + err.Error(), Err: err}
	}
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	opt, err := o.options(ctx, st, content)
	if err != nil {
		return err
	}
	got, err := rating.Import(content, opt)
	if err != nil {
		return err
	}
	out, err := keepImported(ctx, st, opt.Queue, got)
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(out)
	}
	note := ""
	if out.Unknown > 0 {
		note = fmt.Sprintf(" %d records are of items that the queue does not have.", out.Unknown)
	}
	_, err = fmt.Fprintf(s.Out, "%s: %d of %d ratings are new and kept.%s\n", out.Queue, out.New, out.Read, note)
	return err
}

// options finds the queue that the file belongs to, if there is one.
func (o *rateImportOptions) options(ctx context.Context, st *sqlite.Store, content []byte) (rating.ImportOptions, error) {
	opt := rating.ImportOptions{File: o.file, Format: rating.Format(o.format), Name: o.queue, Task: o.task, Fields: map[string]string{}, By: raterName(), Made: time.Now()}
	for _, f := range o.fields {
		name, value, ok := strings.Cut(f, "=")
		if !ok || !strings.Contains(" input left right answer ", " "+name+" ") || value == "" {
			return opt, usage("--field is input, left, right or answer with the file's own name after =, and not %q", f)
		}
		opt.Fields[name] = value
	}
	name := o.queue
	if name == "" {
		if name = rating.QueueIn(content); name == "" {
			return opt, usage("the file does not say its queue; name one with --queue")
		}
		opt.Name = name
	}
	queues, err := st.RatingQueues(ctx, "")
	for _, q := range queues {
		if q.Name == name {
			opt.Queue = q
		}
	}
	return opt, err
}

// keepImported keeps what is new. Queue and ratings may be put again, so a command that was killed is simply run again.
func keepImported(ctx context.Context, st *sqlite.Store, q *rung.RatingQueue, got *rating.Imported) (*rateImported, error) {
	out := &rateImported{Made: got.Queue != nil, Read: len(got.Ratings), Unknown: got.Unknown}
	if got.Queue != nil {
		q = got.Queue
		if err := st.PutRatingQueue(ctx, q); err != nil {
			return nil, err
		}
	}
	out.Queue = q.Name
	have, err := ratingsOf(ctx, st, q.Name)
	if err != nil {
		return nil, err
	}
	fresh := rating.New(have, got.Ratings)
	out.New = len(fresh)
	return out, st.PutRatings(ctx, fresh)
}
