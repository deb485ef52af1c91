package processors

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/internal/golden"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// The topology of all groups. It fails when the topology changes by accident: a
// changed input, loop or table of a running deployment needs a thought about
// what is already in its topics.
func TestGraphs(t *testing.T) {
	b := &Bridge{topics: testTopics()}
	withState := []*goka.GroupGraph{
		(&organizers{newGroup(b, b.topics.organizersGroup(), nil, nil)}).graph(),
		(&gate{group: newGroup(b, b.topics.gateGroup(), nil, nil)}).graph(),
	}
	var graphs []*goka.GroupGraph
	for _, s := range mapping.Streams {
		graphs = append(graphs, (&intake{group: newGroup(b, b.topics.intakeGroup(s), nil, nil), stream: s}).graph())
	}
	graphs = append(graphs, withState...)

	var printed strings.Builder
	var names []string
	for _, g := range graphs {
		if err := g.Validate(); err != nil {
			t.Errorf("group %s: %v", g.Group(), err)
		}
		names = append(names, string(g.Group()))
		printed.WriteString(printGraph(b.topics, g))
	}
	golden.File(t, "testdata/graphs.golden", printed.String(), *update)

	source, state := b.topics.Groups()
	if want := append(source, state...); !slices.Equal(names, want) {
		t.Errorf("groups %q, but Topics.Groups lists %q", names, want)
	}
	// A cause is an input's number and an offset: every input of a group with state needs one.
	numbers := b.topics.inputNumbers()
	for _, g := range withState {
		for _, in := range append(g.InputStreams(), g.LoopStream()) {
			if numbers[in.Topic()] == 0 {
				t.Errorf("group %s: input %s has no number", g.Group(), in.Topic())
			}
		}
	}
}

// printGraph writes one edge a line, inputs with their numbers.
func printGraph(topics Topics, g *goka.GroupGraph) string {
	var b strings.Builder
	fmt.Fprintf(&b, "group %s\n", g.Group())
	line := func(kind string, e goka.Edge) {
		if e == nil {
			return
		}
		if n := topics.inputNumbers()[e.Topic()]; n != 0 && kind != "output" {
			fmt.Fprintf(&b, "  %-6s  %s (%d)\n", kind, e.Topic(), n)
			return
		}
		fmt.Fprintf(&b, "  %-6s  %s\n", kind, e.Topic())
	}
	for _, e := range g.InputStreams() {
		line("input", e)
	}
	line("loop", g.LoopStream())
	line("table", g.GroupTable())
	for _, e := range g.OutputStreams() {
		line("output", e)
	}
	for _, e := range append(g.JointTables(), g.LookupTables()...) {
		line("reads", e)
	}
	return b.String()
}
