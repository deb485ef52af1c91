package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

type mapOptions struct {
	edition, format string
	directory       string
	partner, event  string
	order           string
	explain         bool
}

// mapNames are the streams' names on the command line.
var mapNames = map[mapping.Stream]string{
	mapping.Partners: "partner", mapping.Events: "event", mapping.Orders: "order", mapping.Refunds: "refund",
}

func newMapCommand(a *app) *cobra.Command {
	var o mapOptions
	d := config.Default()
	cmd := &cobra.Command{
		Use:   "map partner|event|order|refund",
		Short: "Show what one legacy record becomes",
		Long: `map reads one legacy record (the raw protobuf of its value) from standard input and
shows what the bridge makes of it: the slim record, or why there is none. What the
record depends on can be given as raw files too; holds count as over. The slim record
has the personal data of the legacy one. Of a record that is refused only the reason is
shown.

With --explain it lists, for every field of the slim record, the legacy field and
the rule that it comes from.`,
		Example: `  vibe-bridge map event --partner partner.bin --directory directory.json < event.bin
  vibe-bridge map order --event event.bin --partner partner.bin --explain < order.bin
  grep -m1 '"topic":"events"' legacy.ndjson | jq -r .value | base64 -d | vibe-bridge map event`,
		Args:      oneOf("partner", "event", "order", "refund"),
		ValidArgs: []string{"partner", "event", "order", "refund"},
		RunE: func(_ *cobra.Command, args []string) error {
			for stream, name := range mapNames {
				if name == args[0] {
					return o.run(a, stream)
				}
			}
			return nil // Args has seen to it
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.edition, "edition", d.Edition, "edition of the slim contract: 1.0 or 2.0")
	flags.StringVar(&o.format, "format", d.Format, "json, or protobuf (written raw)")
	flags.StringVar(&o.directory, "directory", "", "directory file: categories, cities, venues")
	flags.StringVar(&o.partner, "partner", "", "raw partner record that the event's organizer is taken from")
	flags.StringVar(&o.event, "event", "", "raw event record that the order belongs to")
	flags.StringVar(&o.order, "order", "", "raw order record that the refund belongs to")
	flags.BoolVar(&o.explain, "explain", false, "list the origin of every slim field")
	return cmd
}

func (o *mapOptions) run(a *app, stream mapping.Stream) error {
	rules, err := o.rules(stream)
	if err != nil {
		return err
	}
	m, err := newMapper(rules)
	if err != nil {
		return err
	}
	for s := mapping.Partners; s < stream; s++ {
		if err := o.feedParent(m, s); err != nil {
			return err
		}
	}
	if isTerminal(a.stdin) {
		return refusef("no record to map: standard input is a terminal; give the raw record with < FILE or a pipe")
	}
	value, err := io.ReadAll(a.stdin)
	if err != nil {
		return fmt.Errorf("read record: %w", err)
	}
	if err := m.feed(stream, value); err != nil {
		return err
	}
	if err := m.engine.ExpireHolds(); err != nil {
		return err
	}
	record := m.slim[stream]
	if record == nil {
		_, err := fmt.Fprintln(a.stdout, o.end(m, stream))
		return err
	}
	if o.explain {
		return printOrigins(a.stdout, rules.Encoding.Edition, stream, record)
	}
	if rules.Encoding.Format == slim.JSON {
		record = append(record, '\n')
	}
	_, err = a.stdout.Write(record)
	return err
}

// rules checks the flags.
func (o *mapOptions) rules(stream mapping.Stream) (*mapping.Rules, error) {
	c := config.Default()
	c.Edition, c.Format, c.DirectoryFile = o.edition, o.format, o.directory
	if err := c.CheckOutput(); err != nil {
		return nil, refuse(err)
	}
	if o.explain && c.Encoding().Format != slim.JSON {
		return nil, refusef("--explain works with --format json")
	}
	for s := stream; s <= mapping.Refunds; s++ {
		if o.parentFile(s) != "" {
			return nil, refusef("--%s: a slim %s does not depend on one: leave it out", mapNames[s], mapNames[stream])
		}
	}
	return bridgeRules(c)
}

// parentFile is the file with the record of a stream that another depends on.
func (o *mapOptions) parentFile(s mapping.Stream) string {
	switch s {
	case mapping.Partners:
		return o.partner
	case mapping.Events:
		return o.event
	case mapping.Orders:
		return o.order
	}
	return ""
}

// feedParent gives the mapper a record that the one to map depends on.
func (o *mapOptions) feedParent(m *mapper, s mapping.Stream) error {
	path := o.parentFile(s)
	if path == "" {
		return nil
	}
	value, err := os.ReadFile(path)
	if err != nil {
		return refusef("--%s: %w", mapNames[s], err)
	}
	if err := m.feed(s, value); err != nil {
		return err
	}
	if reason := m.quarantined[s]; reason != "" {
		return refusef("--%s %s: it is no usable %s record: %s (%s)", mapNames[s], path, mapNames[s], reason, mapping.Explanation(reason))
	}
	return nil
}

// mapper is an engine with the newest outcome of each stream.
type mapper struct {
	engine      *dryrun.Engine
	slim        map[mapping.Stream][]byte
	quarantined map[mapping.Stream]mapping.Reason
}

func newMapper(rules *mapping.Rules) (*mapper, error) {
	m := &mapper{slim: map[mapping.Stream][]byte{}, quarantined: map[mapping.Stream]mapping.Reason{}}
	engine, err := dryrun.New(dryrun.Config{Rules: rules, ApplicationID: slim.DefaultApplicationID}, m.take)
	if err != nil {
		return nil, refuse(err)
	}
	m.engine = engine
	return m, nil
}

func (m *mapper) feed(s mapping.Stream, value []byte) error {
	return m.engine.Process(recordfile.Record{Topic: s.String(), Value: value})
}

// take notes what the engine emits.
func (m *mapper) take(r recordfile.Record) error {
	for _, s := range mapping.Streams {
		switch {
		case r.Topic == dryrun.SlimTopic(s):
			m.slim[s] = r.Value
		case r.Topic == dryrun.QuarantineTopic && header(r, mapping.HeaderErrorTopic) == s.String():
			m.quarantined[s] = mapping.Reason(header(r, mapping.HeaderErrorClass))
		}
	}
	return nil
}

func header(r recordfile.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// end says how a record without a slim one ended.
func (o *mapOptions) end(m *mapper, s mapping.Stream) string {
	account := m.engine.Summary().Accounts[s]
	if reason := m.quarantined[s]; reason != "" {
		return fmt.Sprintf("quarantined: %s (%s)", reason, mapping.Explanation(reason))
	}
	for reason := range account.Skipped {
		return "skipped: " + reason
	}
	switch {
	case account.Tombstone > 0:
		return "tombstone: an empty value is counted and nothing else"
	case account.Parked > 0:
		return "parked: it waits for its " + o.missing(m, s-1)
	}
	return "no slim record of its own: events and orders of this organizer take its facts"
}

// missing says what a parked record waits for, and what to do about it.
func (o *mapOptions) missing(m *mapper, parent mapping.Stream) string {
	name := mapNames[parent]
	switch {
	case o.parentFile(parent) == "":
		return fmt.Sprintf("%s: give that with --%s", name, name)
	case parent != mapping.Partners && m.slim[parent] == nil:
		return fmt.Sprintf("%s, which is not published itself (%s)", name, o.end(m, parent))
	}
	hint := "has another id"
	if parent == mapping.Partners {
		hint += " or no name"
	}
	return fmt.Sprintf("%s, and the one given with --%s %s", name, name, hint)
}

// printOrigins lists where each field of a slim record comes from.
func printOrigins(w io.Writer, edition slim.Edition, stream mapping.Stream, record []byte) error {
	fields, err := leaves(record)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SLIM FIELD\tVALUE\tLEGACY FIELD\tRULE")
	for _, leaf := range fields {
		origin := mapping.Explain(stream, edition, leaf.path)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", leaf.path, shorten(leaf.value, 48), origin.Legacy, origin.Rule)
	}
	return table.Flush()
}

// leaf is a field that holds no others; value is JSON.
type leaf struct{ path, value string }

// leaves lists the fields of a JSON object in the order in which they stand there.
func leaves(record []byte) ([]leaf, error) {
	decoder := json.NewDecoder(bytes.NewReader(record))
	decoder.UseNumber()
	list, err := appendLeaves(nil, "", decoder)
	if err != nil {
		return nil, fmt.Errorf("read slim record: %w", err)
	}
	return list, nil
}

func appendLeaves(list []leaf, path string, decoder *json.Decoder) ([]leaf, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		for decoder.More() && err == nil {
			var name json.Token
			if name, err = decoder.Token(); err != nil {
				break
			}
			list, err = appendLeaves(list, strings.TrimPrefix(fmt.Sprintf("%s.%s", path, name), "."), decoder)
		}
	case json.Delim('['):
		for i := 0; decoder.More() && err == nil; i++ {
			list, err = appendLeaves(list, fmt.Sprintf("%s[%d]", path, i), decoder)
		}
	default:
		return append(list, leaf{path, jsonText(token)}), nil
	}
	_, end := decoder.Token() // the closing bracket
	return list, errors.Join(err, end)
}

// jsonText writes a token as it stood there, without the escapes for HTML.
func jsonText(token json.Token) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(token) // a token of JSON
	return strings.TrimSuffix(b.String(), "\n")
}
