// Package preflight looks, before an instance starts, at everything that the instance needs and does not have in its
// hands: files, the state folder and its disk, brokers, rights, topics, groups, pauses, clocks.
//
// What belongs here: looking, and saying what to do about what was found. Nothing is written to a cluster and nothing
// created. What does not: reading the configuration (cmd), and the refusals of a start (processors, internal/kafka),
// of which Run makes those that can be made without joining.
package preflight

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// Status of a Line.
type Status string

// Statuses. A failure keeps an instance from starting, or makes it fail or stand still soon after.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failure Status = "failure"
)

// Line is what was found of one thing.
type Line struct {
	Check  string `json:"check"`        // the kind: config, credentials, brokers, rights, ...
	Of     string `json:"of"`           // what was looked at: a key, a file, an address, a topic
	Status Status `json:"status"`       //
	Found  string `json:"found"`        // one line
	Do     string `json:"do,omitempty"` // what to do about it; "" when it is ok
}

// Options of Run.
type Options struct {
	Config config.Config
	Bridge processors.Config // made of Config
	// Specs are the topics that are needed; Rights what the user has to be allowed.
	Specs  []kafka.TopicSpec
	Rights []kafka.Right
	// Overlap refuses topics that would meet on one cluster; nil: not looked at.
	Overlap func(context.Context) error
	// Now is this machine's clock; nil is time.Now.
	Now func() time.Time
}

// Timeout bounds what is asked of a cluster, so that a check of clusters that do not answer ends.
const Timeout = 30 * time.Second

// Run looks at everything and returns all lines, in the order in which they are to be read. What cannot be looked at
// because of an earlier failure is left out.
func Run(ctx context.Context, o Options) []Line {
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &run{Options: o}
	r.credentials()
	r.http()
	r.keys()
	r.files()
	r.state()
	clusters := r.connect(ctx)
	defer clusters.close()
	r.clusters(ctx, clusters)
	r.rights(ctx, clusters)
	r.topics(ctx, clusters)
	r.groups(ctx, clusters)
	r.paused(ctx, clusters)
	r.clocks(ctx, clusters)
	return r.lines
}

// Worst of the lines; OK without any.
func Worst(lines []Line) Status {
	worst := OK
	for _, l := range lines {
		if order := []Status{OK, Warning, Failure}; slices.Index(order, l.Status) > slices.Index(order, worst) {
			worst = l.Status
		}
	}
	return worst
}

type run struct {
	Options
	lines []Line
}

func (r *run) ok(check, of, format string, args ...any) {
	r.lines = append(r.lines, Line{Check: check, Of: of, Status: OK, Found: fmt.Sprintf(format, args...)})
}

func (r *run) warn(check, of, found, do string) {
	r.lines = append(r.lines, Line{Check: check, Of: of, Status: Warning, Found: found, Do: do})
}

func (r *run) fail(check, of, found, do string) {
	r.lines = append(r.lines, Line{Check: check, Of: of, Status: Failure, Found: found, Do: do})
}

// failed tells whether a check has failed already.
func (r *run) failed(check string) bool {
	return slices.ContainsFunc(r.lines, func(l Line) bool { return l.Check == check && l.Status == Failure })
}
