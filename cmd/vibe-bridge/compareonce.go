package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/once"
	"github.com/ticketscloud/vibe-bridge/compare/page"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/resident"
)

type compareOnceOptions struct {
	config  string
	json    bool
	html    string
	out     string
	marks   string
	workDir string
	fresh   bool
	grace   time.Duration
	history string
}

func newCompareOnceCommand(a *app) *cobra.Command {
	var o compareOnceOptions
	cmd := &cobra.Command{
		Use:   "once --config FILE",
		Short: "Compare everything that the topics hold now, and give a verdict",
		Long: `once marks where all topics end, compares everything up to there, and prints a report
with its verdict.

What has been in the topics for less than --grace is not told missing; once waits that
long before it marks the ends. With --marks the marks of an earlier report are taken,
and the same is compared again: the digest of the report is the same, as long as the
configuration is and no topic has been compacted; once says so when one was.

What it has read is kept in --work-dir, about 1 kB for each order, and removed at the
end. When it is interrupted, the same command goes on where it was; --fresh starts over.
It needs less than 1 GB of memory, however many records there are.

--history is a file to which each result is added, a line of JSON each: the report shows
them as a trend, and cutover.days_clean looks at them. Each line says of what comparison
it is, and one of another deployment, side, topic, edition or format is refused.

The report holds ids, positions, and samples of what differs, personal texts by their
shape: 9 for a digit, a or A for a letter.

Exit codes: 0 GO, 3 NO-GO, 2 it could not compare, 1 it failed or was interrupted.`,
		Example: `  vibe-bridge compare once --config bridge.yaml
  vibe-bridge compare once --config bridge.yaml --html report.html --out report.json
  vibe-bridge compare once --config bridge.yaml --marks report.json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(a, o.config, cmd.Flags())
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("grace") {
				o.grace = c.Compare.Grace
			}
			if o.grace < 0 {
				return refusef("--grace %s: want 0 or more", o.grace)
			}
			return o.run(cmd.Context(), a, c)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "configuration file (YAML)")
	flags.BoolVar(&o.json, "json", false, "print the report as JSON")
	flags.StringVar(&o.html, "html", "", "file for the report as one HTML page")
	flags.StringVar(&o.out, "out", "", "file for the report as JSON")
	flags.StringVar(&o.marks, "marks", "", "report (JSON) whose marks are taken: the same is compared again")
	flags.StringVar(&o.workDir, "work-dir", "", "folder for what has been read (default: compare-once in state_dir)")
	flags.BoolVar(&o.fresh, "fresh", false, "start over, whatever an interrupted run has left")
	flags.DurationVar(&o.grace, "grace", 0, "how long a record may be on its way (default: compare.grace)")
	flags.StringVar(&o.history, "history", "", "file of results (NDJSON) to which this one is added")
	config.BindFlags(flags)
	showFlags(cmd, "config", "json", "html", "out", "marks", "work-dir", "fresh", "grace", "history")
	return cmd
}

func (o *compareOnceOptions) run(ctx context.Context, a *app, c config.Config) error {
	began := time.Now()
	p, err := newComparison(c)
	if err != nil {
		return err
	}
	given, err := readMarks(o.marks)
	if err != nil {
		return err
	}
	history, err := readHistory(o.history, p.named())
	if err != nil {
		return err
	}
	for _, file := range []struct{ flag, path string }{{"--out", o.out}, {"--html", o.html}} {
		if err := canBeWritten(file.path); err != nil {
			return refusef("%s: %w", file.flag, err)
		}
	}
	if err := p.connect(ctx); err != nil {
		return couldNotCompare(ctx, err)
	}
	defer p.close()
	defer saveMemory()()
	work, err := o.openWork(p, given)
	if err != nil {
		return err
	}
	report, err := o.compare(ctx, a, p, work, given)
	if err != nil {
		return o.ended(ctx, work, err)
	}
	report.Run.Seconds = time.Since(began).Seconds()
	report.Run.RecordsPerSecond = float64(work.read) / work.seconds
	report.Run.PeakMemory = resident.Peak()
	if err := report.Conclude(cutoverOf(c.Cutover), work.result.Quarantine, history); err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	for _, warning := range work.warnings {
		fmt.Fprintf(a.stderr, "warning: %s\n", warning)
	}
	if err := o.write(a, report, p.named()); err != nil {
		return fmt.Errorf("compare: write the report: %w", err)
	}
	if err := work.remove(); err != nil {
		return fmt.Errorf("compare: remove what was read: %w", err)
	}
	fmt.Fprintf(a.stderr, "compared %d records in %s: %.0f records/s while reading, peak memory %d MiB\n",
		report.Run.Records, time.Since(began).Round(time.Millisecond), report.Run.RecordsPerSecond, report.Run.PeakMemory>>20)
	if !report.Verdict.Go {
		return &codedError{code: codeChecks, err: errors.New("compare: NO-GO: see the report")}
	}
	return nil
}

// couldNotCompare is for what goes wrong before anything is read.
func couldNotCompare(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return refusef("compare: %w", err)
}

// ended says how to go on.
func (o *compareOnceOptions) ended(ctx context.Context, w *comparedWork, err error) error {
	kept := w.close()
	var coded *codedError
	switch {
	case errors.As(err, &coded):
		return errors.Join(err, kept)
	case ctx.Err() != nil && w.marked:
		return errors.New("compare: interrupted; the same command goes on from here, and with --fresh it starts over")
	case ctx.Err() != nil:
		return errors.New("compare: interrupted before anything was read")
	}
	return fmt.Errorf("compare: %w; the same command goes on from here", errors.Join(err, kept))
}

func (o *compareOnceOptions) compare(ctx context.Context, a *app, p *comparison, w *comparedWork, given *compareMarks) (*compare.Report, error) {
	if err := o.mark(ctx, a, p, w, given); err != nil {
		return nil, couldNotCompare(ctx, err)
	}
	if err := p.look(ctx, w.marks); err != nil {
		return nil, couldNotCompare(ctx, err)
	}
	reading := time.Now()
	before := w.engine.Stats().Total()
	if err := p.read(ctx, a.stderr, w); err != nil {
		return nil, errors.Join(err, w.engine.Commit())
	}
	w.seconds = max(time.Since(reading).Seconds(), 1e-3)
	w.read = w.engine.Stats().Total() - before
	if err := p.judge(ctx, a.stderr, w); err != nil {
		return nil, err
	}
	return p.report(ctx, w)
}

// mark takes the marks that are given, or that an interrupted run has left, or new ones.
func (o *compareOnceOptions) mark(ctx context.Context, a *app, p *comparison, w *comparedWork, given *compareMarks) (err error) {
	kept, err := readMarks(w.marksFile())
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case kept != nil:
		w.marks, w.resumed = kept, true
		fmt.Fprintf(a.stderr, "going on with the marks of %s\n", kept.time().Format(time.RFC3339))
	case given != nil:
		w.marks = given
	default:
		if w.marks, err = p.newMarks(ctx, a.stderr, o.grace); err != nil {
			return err
		}
	}
	if err := p.checkMarks(ctx, w); err != nil {
		return err
	}
	if !w.resumed {
		err = w.keepMarks()
	}
	w.marked = err == nil
	return err
}

// write puts the report where it is wanted.
func (o *compareOnceOptions) write(a *app, r *compare.Report, of string) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return err
	}
	if o.out != "" {
		if err := replaceFile(o.out, readableByOwner, text.Bytes()); err != nil {
			return err
		}
	}
	if o.html != "" {
		var html bytes.Buffer
		if err := page.Write(&html, r); err != nil {
			return err
		}
		if err := replaceFile(o.html, readableByOwner, html.Bytes()); err != nil {
			return err
		}
	}
	if o.history != "" {
		if err := addHistory(o.history, of, r); err != nil {
			return err
		}
	}
	if !o.json {
		return r.WriteText(a.stdout)
	}
	_, err := a.stdout.Write(text.Bytes())
	return err
}

func cutoverOf(c config.Cutover) compare.Cutover {
	return compare.Cutover{
		MinCoverage: c.MinCoverage, MaxUnexplainedRate: c.MaxUnexplainedRate, MaxViolations: int64(c.MaxViolations),
		MaxQuarantineAge: c.MaxQuarantineAge, DaysClean: c.DaysClean, MinEntities: int64(c.MinEntities), MaxBehind: c.MaxBehind,
	}
}

// comparedWork is a comparison under way, and its folder.
type comparedWork struct {
	dir     string
	engine  *once.Engine
	marks   *compareMarks
	resumed bool
	marked  bool // the folder has the marks
	given   bool // with --marks

	result once.Result
	// warnings are notes of the report that have to be seen.
	warnings []string
	seconds  float64 // of reading
	read     int64   // records, by this process
}

func (w *comparedWork) marksFile() string { return filepath.Join(w.dir, "marks.json") }

// keepMarks stores them before anything is read.
func (w *comparedWork) keepMarks() error {
	text, err := json.Marshal(w.marks)
	if err != nil {
		return err
	}
	return replaceFile(w.marksFile(), readableByOwner, text)
}

// openWork opens the folder of this comparison: another one has another folder.
func (o *compareOnceOptions) openWork(p *comparison, given *compareMarks) (*comparedWork, error) {
	parent := o.workDir
	if parent == "" {
		parent = filepath.Join(p.config.StateDir, "compare-once")
	}
	w := &comparedWork{dir: filepath.Join(parent, p.digest(given)), given: given != nil}
	if o.fresh {
		if err := os.RemoveAll(w.dir); err != nil {
			return nil, refusef("compare: --fresh: %w", err)
		}
	}
	rows := filepath.Join(w.dir, "rows")
	if err := os.MkdirAll(rows, 0o700); err != nil {
		return nil, refusef("compare: work folder: %w", err)
	}
	var err error
	if w.engine, err = once.Open(p.engineOptions(rows)); err != nil {
		return nil, refusef("compare: work folder, which one process uses at a time: %w; --fresh starts over", err)
	}
	return w, nil
}

func (w *comparedWork) close() error {
	if w.engine == nil {
		return nil
	}
	engine := w.engine
	w.engine = nil
	return engine.Close()
}

func (w *comparedWork) remove() error {
	if err := w.close(); err != nil {
		return err
	}
	if err := os.RemoveAll(w.dir); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(w.dir)) // unless another comparison is there
	return nil
}

// pastResult is a line of a history.
type pastResult struct {
	Of string `json:"of"` // compare.Of
	compare.TrendPoint
}

// readHistory are the results of a file, all of one comparison; none when there is no file yet.
func readHistory(path, of string) ([]compare.TrendPoint, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, refusef("--history: %w", err)
	}
	var points []compare.TrendPoint
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var point pastResult
		err := decoder.Decode(&point)
		if errors.Is(err, io.EOF) {
			return points, nil
		}
		if err != nil {
			return nil, refusef("--history %s: after %s: not a line of results: %w", path, count(len(points), "result"), err)
		}
		if point.Time.IsZero() {
			return nil, refusef("--history %s: after %s: not a line of results: it has no time", path, count(len(points), "result"))
		}
		switch point.Of {
		case of:
		case "":
			return nil, refusef("--history %s: result %d does not say of what it is: an older version wrote it; take another file, or put %s into each line if all are of this comparison",
				path, len(points)+1, ofKey(of))
		default:
			return nil, refusef("--history %s: result %d is of another comparison, %q; this one is %q: want a file of its own", path, len(points)+1, point.Of, of)
		}
		points = append(points, point.TrendPoint)
	}
}

// ofKey is the key of a line with its value.
func ofKey(of string) string { return fmt.Sprintf(`"of":%q`, of) }

// addHistory adds this result, unless the same one is there.
func addHistory(path, of string, r *compare.Report) error {
	points, err := readHistory(path, of)
	if err != nil {
		return err
	}
	for _, p := range points {
		if p.Time.Equal(r.Run.Time) {
			return nil
		}
	}
	for _, p := range r.Trend {
		if !p.Time.Equal(r.Run.Time) {
			continue
		}
		line, err := json.Marshal(pastResult{of, p})
		if err != nil {
			return err
		}
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, readableByOwner)
		if err != nil {
			return err
		}
		_, err = file.Write(append(line, '\n'))
		return errors.Join(err, file.Close())
	}
	return nil
}
