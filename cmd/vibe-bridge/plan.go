package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/capacity"
)

type planOptions struct {
	load       capacity.Load
	deployment capacity.Deployment
	onSale     float64
	onSaleFor  time.Duration
	session    time.Duration
	retention  time.Duration
	measured   string
	plot       string
	json       bool
}

func newPlanCommand(a *app) *cobra.Command {
	o := planOptions{load: capacity.DefaultLoad(), deployment: capacity.DefaultDeployment()}
	cmd := &cobra.Command{
		Use:   "plan --orders-per-second N --events M --orders-kept K",
		Short: "Calculate what a load wants: instances, partitions, disks, times, and what gives way first",
		Long: `plan calculates, from a load, how many instances and partitions it wants, what they take
of processors, memory, disks and network, how long starts and hand-overs take, and
what gives way first, at which rate. Every line has its formula, to be checked by hand.
Nothing is read and nobody is asked but the figures that the program was built with, or
those of --measured: a file that "make plan-measure" writes, on a machine like yours.

With --on-sale it simulates, beside that load, one event that sells so many orders a
second. All of an event is in one partition: that is what keeps its order.

It ends with exit code 3 when something does not do.`,
		Example: `  vibe-bridge plan --orders-per-second 500 --events 20000 --orders-kept 50000000
  vibe-bridge plan --orders-per-second 500 --events 20000 --orders-kept 50000000 --instances 4 --partitions 24 --json
  vibe-bridge plan --orders-per-second 500 --events 20000 --orders-kept 50000000 --on-sale 50000 --on-sale-for 10m --plot on-sale.svg`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := wantLoad(cmd); err != nil {
				return err
			}
			return o.run(a)
		},
	}
	flags, l, d := cmd.Flags(), &o.load, &o.deployment
	flags.Float64Var(&l.OrdersPerSecond, "orders-per-second", 0, "new orders, in the busiest hour")
	flags.Float64Var(&l.Events, "events", 0, "events that the state has then")
	flags.Float64Var(&l.OrdersKept, "orders-kept", 0, "orders that the state has at the end of what is planned: all that there ever were")
	flags.Float64Var(&l.OrderRecords, "order-records", l.OrderRecords, "legacy records of an order")
	flags.Float64Var(&l.RefundShare, "refund-share", l.RefundShare, "refund requests of an order")
	flags.Float64Var(&l.RefundRecords, "refund-records", l.RefundRecords, "legacy records of a refund request")
	flags.Float64Var(&l.EventRecords, "event-records", l.EventRecords, "legacy records of events and partners, for each order")
	flags.IntVar(&d.Instances, "instances", 0, "instances; 0: as many as it takes")
	flags.IntVar(&d.Spare, "spare", d.Spare, "how many of them may be away")
	flags.IntVar(&d.Partitions, "partitions", 0, "partitions of internal topics and tables; 0: as many as it takes")
	flags.Float64Var(&d.Cores, "cores", d.Cores, "cores of an instance")
	flags.Float64Var(&d.Utilisation, "utilisation", d.Utilisation, "how much of cores and network may be used, 0 to 1")
	flags.Float64Var(&d.Skew, "skew", d.Skew, "load of the busiest partition, divided by the average")
	flags.Float64Var(&d.NetworkMiB, "network", d.NetworkMiB, "of an instance, and of a broker, each way: MiB a second")
	flags.Float64Var(&d.DiskGiB, "disk", d.DiskGiB, "of an instance, for its state: GiB")
	flags.IntVar(&d.Brokers, "brokers", d.Brokers, "brokers")
	flags.IntVar(&d.Replication, "replication", d.Replication, "replicas of topics")
	flags.Float64Var(&d.BrokerDiskGiB, "broker-disk", d.BrokerDiskGiB, "of a broker, for the bridge's topics: GiB; 0: not known")
	flags.DurationVar(&o.session, "session-timeout", asDuration(d.SessionTimeout), "after how long a silent instance loses its partitions")
	flags.DurationVar(&o.retention, "internal-retention", asDuration(d.InternalRetention), "how long internal topics keep records")
	flags.Float64Var(&o.onSale, "on-sale", 0, "orders a second of one event, beside the others; 0: no simulation")
	flags.DurationVar(&o.onSaleFor, "on-sale-for", 10*time.Minute, "how long that lasts")
	flags.StringVar(&o.plot, "plot", "", "file for a picture of the on-sale (SVG)")
	flags.StringVar(&o.measured, "measured", "", "file with figures of make plan-measure, instead of those built in")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// wantLoad refuses a plan for no load in particular: there is no default that would mean something.
func wantLoad(cmd *cobra.Command) error {
	var missing []string
	for _, name := range []string{"orders-per-second", "events", "orders-kept"} {
		if !cmd.Flags().Changed(name) {
			missing = append(missing, "--"+name)
		}
	}
	switch n := len(missing); n {
	case 0:
		return nil
	case 1:
		return usageError(cmd, fmt.Errorf("no load given: want %s", missing[0]))
	default:
		return usageError(cmd, fmt.Errorf("no load given: want %s and %s", strings.Join(missing[:n-1], ", "), missing[n-1]))
	}
}

func asDuration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// planAnswer is what --json prints.
type planAnswer struct {
	Basis planBasis      `json:"basis"`
	Plan  capacity.Plan  `json:"plan"`
	Sale  *capacity.Sale `json:"on_sale,omitempty"`

	about string // the basis, for people
}

// planBasis is what the figures rest on.
type planBasis struct {
	Date        string                `json:"date"`
	Commit      string                `json:"commit"`
	Go          string                `json:"go"`
	Kafka       string                `json:"kafka"`
	Machine     capacity.Machine      `json:"machine"`
	Provisional string                `json:"provisional,omitempty"`
	Fitted      capacity.Coefficients `json:"fitted"`
	Predicted   []capacity.Deviation  `json:"predicted"`
}

func (o *planOptions) run(a *app) error {
	if o.plot != "" && o.onSale == 0 {
		return refusef("--plot is a picture of an on-sale: want --on-sale as well")
	}
	m, err := o.figures()
	if err != nil {
		return refuse(err)
	}
	answer := planAnswer{Basis: planBasis{m.Date, m.Commit, m.Go, m.Kafka, m.Machine, m.Provisional, m.Fitted, m.Predicted}, about: m.About()}
	o.deployment.SessionTimeout, o.deployment.InternalRetention = o.session.Seconds(), o.retention.Seconds()
	if answer.Plan, err = capacity.New(o.load, o.deployment, m.Fitted); err != nil {
		return refuse(err)
	}
	faults := answer.Plan.Faults
	if o.onSale != 0 {
		sale, err := answer.Plan.OnSale(o.onSale, o.onSaleFor.Seconds(), m.Fitted)
		if err != nil {
			return refuse(err)
		}
		answer.Sale, faults = &sale, append(faults, sale.Faults...)
	}
	if o.plot != "" {
		if err := replaceFile(o.plot, readableByAll, []byte(answer.Sale.Course.Plot())); err != nil {
			return refusef("--plot: %w", err)
		}
	}
	if err := o.print(a.stdout, answer); err != nil {
		return err
	}
	if len(faults) > 0 {
		return &codedError{code: codeChecks, err: fmt.Errorf("it does not do: %s", strings.Join(faults, "; "))}
	}
	return nil
}

func (o *planOptions) figures() (capacity.Measured, error) {
	if o.measured == "" {
		return capacity.Default()
	}
	data, err := os.ReadFile(o.measured)
	if err != nil {
		return capacity.Measured{}, fmt.Errorf("--measured: %w", err)
	}
	m, err := capacity.ParseMeasured(data)
	if err != nil {
		return m, fmt.Errorf("--measured %s: %w", o.measured, err)
	}
	return m, nil
}

func (o *planOptions) print(w io.Writer, answer planAnswer) error {
	if o.json {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(answer)
	}
	var b strings.Builder
	planLines(&b, answer.Plan.Lines)
	planLimits(&b, answer.Plan)
	if answer.Sale != nil {
		planSale(&b, *answer.Sale)
	}
	fmt.Fprintf(&b, "\nNOT KNOWN\n")
	for _, u := range answer.Plan.Unknown {
		fmt.Fprintf(&b, "  %s\n", u)
	}
	fmt.Fprintf(&b, "\nRESTS ON\n")
	for line := range strings.Lines(answer.about) {
		b.WriteString("  " + line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// planColumns puts cells, which a tab ends, in columns.
func planColumns(b *strings.Builder, write func(w io.Writer)) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	write(w)
	w.Flush()
	for line := range strings.Lines(text.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}

func planLines(b *strings.Builder, lines []capacity.Line) {
	for from := 0; from < len(lines); {
		to := from
		for to < len(lines) && lines[to].Group == lines[from].Group {
			to++
		}
		if from > 0 || b.Len() > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "%s\n", strings.ToUpper(lines[from].Group))
		planColumns(b, func(w io.Writer) {
			for _, l := range lines[from:to] {
				fmt.Fprintf(w, "  %s\t%s\t%s\n", l.Name, capacity.Quantity(l.Value, l.Unit), l.From)
			}
		})
		from = to
	}
}

func planLimits(b *strings.Builder, p capacity.Plan) {
	fmt.Fprintf(b, "\nGIVES WAY FIRST\n")
	planColumns(b, func(w io.Writer) {
		for _, l := range p.Limits {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", l.What, capacity.Quantity(l.OrdersPerSecond, "orders/s"), l.From)
		}
	})
}

func planSale(b *strings.Builder, s capacity.Sale) {
	c := s.Course
	fmt.Fprintf(b, "\nON-SALE of one event: %s for %s, %s\n", capacity.Quantity(s.OrdersPerSecond, "orders/s"), capacity.Quantity(c.Sale.Length, "s"), capacity.Quantity(s.Orders, "orders"))
	planLines(b, s.Lines)
	fmt.Fprintf(b, "\n")
	planColumns(b, func(w io.Writer) {
		fmt.Fprintf(w, "  minute\tarrived\twait for intake\twait for the gate\tout\tgoes out after\tarrives, and waits\telsewhere\n")
		for _, at := range c.Minutes() {
			seconds := func(v float64) string { return capacity.Quantity(v, "s") }
			records := func(v float64) string { return capacity.Quantity(math.Round(v), "") }
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", capacity.Quantity(at.At/60, ""), records(at.Arrived), records(at.BeforeIntake), records(at.BeforeGate), records(at.Out), seconds(at.Waited), seconds(at.Wait), seconds(at.Elsewhere))
		}
	})
	fmt.Fprintf(b, "\n  The last order of the sale is out after %s. An order of the event, and of the others in its partition, waits for %s at most,\n  one of another partition for %s.\n",
		capacity.Quantity(c.LastOut, "s"), capacity.Quantity(c.MostWait, "s"), capacity.Quantity(c.MostElsewhere, "s"))
	fmt.Fprintf(b, "\nWHAT COULD BE DONE\n")
	planColumns(b, func(w io.Writer) {
		fmt.Fprintf(w, "  \tlast order out\tlongest wait\telsewhere\t\n")
		for _, y := range s.Ways {
			if y.LastOut == 0 {
				fmt.Fprintf(w, "  %s\t-\t-\t-\t%s\n", y.What, y.Note)
				continue
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", y.What, capacity.Quantity(y.LastOut, "s"), capacity.Quantity(y.MostWait, "s"), capacity.Quantity(y.MostElsewhere, "s"), y.Note)
		}
	})
}
