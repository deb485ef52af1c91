package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/once"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// comparison is what a configuration says is to be compared, and where that is.
type comparison struct {
	config       config.Config
	legacy       bool // the left side are legacy streams
	form         compare.Form
	left, right  slim.Encoding // of the slim topics; left is right where the left side is legacy
	places       *compare.Places
	expected     *compare.Expected
	readers      [3]compare.Reader
	topics       []*comparedTopic          // by side and stream
	legacyTopics map[compare.Stream]string // of the bridge, whatever is compared
	intakeGroups map[compare.Stream]string
	bridgeInputs []processors.GroupInput // behind intake

	sides       map[once.Side]*kgo.Client
	notes       []string
	conclusions compare.Judge // what the topics allow to conclude
	known       bool          // the quarantine topic is there as a whole
}

// comparedTopic is one topic of a side.
type comparedTopic struct {
	side    once.Side
	stream  compare.Stream
	cluster string // source, target or state
	name    string
	client  *kgo.Client
}

func (t *comparedTopic) admin() *kadm.Client { return kadm.NewClient(t.client) }

func (t *comparedTopic) is(m compare.Mark) bool {
	return t.name == m.Topic && t.side.String() == m.Side
}

type comparedPartition struct {
	side once.Side
	partitionID
}

func newComparison(c config.Config) (*comparison, error) {
	p := &comparison{config: c, legacy: c.Compare.Against == config.AgainstLegacy, left: c.Encoding(), right: c.Encoding()}
	if !p.legacy {
		p.left = c.OtherEncoding()
	}
	p.form = formOf(p.left, p.right)
	zone, err := time.LoadLocation(c.DefaultTimezone)
	if err != nil {
		return nil, refusef("default_timezone: %w", err)
	}
	if err := p.makeReaders(zone); err != nil {
		return nil, refusef("compare: %w", err)
	}
	if p.legacy {
		var files [2][]byte
		for i, path := range []string{c.DirectoryFile, c.CategoriesFile} {
			if path == "" {
				continue
			}
			if files[i], err = os.ReadFile(path); err != nil {
				return nil, refuse(err)
			}
		}
		if p.places, err = compare.NewPlaces(p.form, files[0], files[1], zone); err != nil {
			return nil, refuse(err)
		}
	}
	if path := c.Compare.ExpectedFile; path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, refusef("compare.expected_file: %w", err)
		}
		if p.expected, err = compare.ParseExpected(path, text, os.ReadFile); err != nil {
			return nil, refusef("compare.expected_file: %w", err)
		}
	}
	p.nameTopics()
	return p, nil
}

// formOf is the form in which two encodings meet.
func formOf(a, b slim.Encoding) compare.Form {
	form := compare.Form{Protobuf: a.Format == slim.Protobuf || b.Format == slim.Protobuf}
	if a.Edition == b.Edition {
		form.Edition = editionNumber(a)
	}
	return form
}

func editionNumber(e slim.Encoding) int {
	if e.Edition == slim.Edition2 {
		return 2
	}
	return 1
}

func (p *comparison) makeReaders(zone *time.Location) (err error) {
	c := p.config
	slimSide := func(e slim.Encoding, applicationID string) (compare.Reader, error) {
		return compare.NewSlimReader(compare.SlimOptions{
			Form: p.form, Edition: editionNumber(e), Format: e.Format.String(), ApplicationID: applicationID,
			// What the headers of slim topics say is compared with what each side should say.
			NormaliseHeaders: !p.legacy, DefaultZone: zone,
		})
	}
	if p.readers[once.Right], err = slimSide(p.right, c.ApplicationID); err != nil {
		return err
	}
	if p.legacy {
		p.readers[once.Left], err = compare.NewLegacyReader(compare.LegacyOptions{
			Form: p.form, Edition: editionNumber(p.right), ContentType: contentTypeOf(p.right), SchemaVersion: p.right.Edition.String(), ApplicationID: c.ApplicationID,
		})
	} else {
		p.readers[once.Left], err = slimSide(p.left, c.OtherApplicationID())
	}
	if c.Compare.Baseline.Given() {
		p.readers[once.Baseline] = p.readers[p.baselineOf()]
	}
	return err
}

func contentTypeOf(e slim.Encoding) string {
	if e.Format == slim.Protobuf {
		return "application/x-protobuf"
	}
	return "application/json"
}

func (p *comparison) baselineOf() once.Side {
	if p.config.Compare.Baseline.Of == config.BaselineRight {
		return once.Right
	}
	return once.Left
}

func (p *comparison) nameTopics() {
	c := p.config
	add := func(side once.Side, s compare.Stream, cluster, name string) {
		if name != "" {
			p.topics = append(p.topics, &comparedTopic{side: side, stream: s, cluster: cluster, name: name})
		}
	}
	events, orders, refunds := c.Slim.Names()
	legacy := [4]string{c.Topics.Partners, c.Topics.Events, c.Topics.Orders, c.Topics.Refunds}
	p.legacyTopics = map[compare.Stream]string{}
	for s, name := range legacy {
		p.legacyTopics[compare.Stream(s)] = name
	}
	if p.legacy {
		for s, name := range legacy {
			add(once.Left, compare.Stream(s), "source", name)
		}
	} else {
		for s, name := range c.Compare.Other.Topics() {
			add(once.Left, compare.Events+compare.Stream(s), c.Compare.Other.Cluster, name)
		}
	}
	for s, name := range []string{events, orders, refunds} {
		add(once.Right, compare.Events+compare.Stream(s), "target", name)
	}
	for s, name := range c.Compare.Baseline.Topics() {
		add(once.Baseline, compare.Stream(s), c.Compare.Baseline.Cluster, name)
	}
	// The verdict asks for the age of what is in quarantine, whatever is compared.
	named := processors.NewTopics(c.Name, [4]string{
		mapping.Partners: c.Topics.Partners, mapping.Events: c.Topics.Events, mapping.Orders: c.Topics.Orders, mapping.Refunds: c.Topics.Refunds,
	}, events, orders, refunds)
	add(once.Quarantine, 0, "state", named.Quarantine())
	p.bridgeInputs = named.InternalInputs()
	groups, _ := named.Groups()
	p.intakeGroups = map[compare.Stream]string{}
	for i, s := range mapping.Streams {
		p.intakeGroups[streamOf(s)] = groups[i]
	}
}

func streamOf(s mapping.Stream) compare.Stream {
	return map[mapping.Stream]compare.Stream{
		mapping.Partners: compare.Partners, mapping.Events: compare.Events, mapping.Orders: compare.Orders, mapping.Refunds: compare.Refunds,
	}[s]
}

// of are the topics of a side, in the order of their streams.
func (p *comparison) of(side once.Side) (topics []*comparedTopic) {
	for _, t := range p.topics {
		if t.side == side {
			topics = append(topics, t)
		}
	}
	return topics
}

// names are those of a side's topics, by stream.
func (p *comparison) names(side once.Side) (names [compare.Streams]string) {
	for _, t := range p.of(side) {
		names[t.stream] = t.name
	}
	return names
}

func (p *comparison) engineOptions(dir string) once.Options {
	c := p.config
	var has [compare.Streams]bool
	for _, t := range p.of(once.Baseline) {
		has[t.stream] = true
	}
	return once.Options{
		Dir: dir, Form: p.form, Legacy: p.legacy, Readers: p.readers, BaselineOf: p.baselineOf(), BaselineHas: has,
		LegacyTopics: [compare.Streams]string{c.Topics.Partners, c.Topics.Events, c.Topics.Orders, c.Topics.Refunds},
	}
}

// digest names what is compared, and by which program: rows of another one may differ.
func (p *comparison) digest(given *compareMarks) string {
	c := p.config
	var topics [][]string
	for _, t := range p.topics {
		topics = append(topics, append([]string{t.side.String(), t.stream.String(), t.name}, c.ClusterNamed(t.cluster).Brokers...))
	}
	text, err := json.Marshal([]any{currentVersion().String(), topics, p.form, p.left, p.right, c.ApplicationID, c.OtherApplicationID(), c.DefaultTimezone, c.Compare.Baseline.Of, given})
	if err != nil {
		panic(err) // of plain values
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// connect reaches the clusters. The quarantine topic need not be there.
func (p *comparison) connect(ctx context.Context) error {
	if err := checkOverlap(ctx, p.config); err != nil {
		return err
	}
	p.sides = map[once.Side]*kgo.Client{}
	for _, t := range p.topics {
		client := p.sides[t.side]
		if client == nil {
			var err error
			client, err = connect(p.config.ClusterNamed(t.cluster),
				kgo.FetchIsolationLevel(kgo.ReadCommitted()),
				kgo.KeepControlRecords(), // the last offset of a topic may be one
				kgo.FetchMaxWait(250*time.Millisecond),
				kgo.FetchMaxBytes(fetchBytes),
				kgo.FetchMaxPartitionBytes(1<<20),
				kgo.ConsumeResetOffset(kgo.NoResetOffset()), // what is gone must not be passed over
			)
			if err != nil {
				return err
			}
			p.sides[t.side] = client
		}
		t.client = client
	}
	return p.findQuarantine(ctx)
}

func (p *comparison) close() {
	for _, client := range p.sides {
		client.Close()
	}
}

func (p *comparison) findQuarantine(ctx context.Context) error {
	for i, t := range p.topics {
		if t.side != once.Quarantine {
			continue
		}
		listed, err := t.admin().ListTopics(ctx, t.name)
		if err != nil {
			return fmt.Errorf("list topics: %w", err)
		}
		if topic, ok := listed[t.name]; !ok || topic.Err != nil {
			p.notes = append(p.notes, fmt.Sprintf("there is no quarantine topic %s: what cannot be mapped counts as quarantined", t.name))
			p.topics = slices.Delete(p.topics, i, i+1)
			return nil
		}
		p.known = true
		return nil
	}
	return nil
}

// look finds out what the topics allow to conclude.
func (p *comparison) look(ctx context.Context, w *compareMarks) error {
	settings := map[once.Side]map[string]topicSettings{}
	for name, client := range p.sides {
		reader := &topicReader{admin: kadm.NewClient(client)}
		for _, t := range p.of(name) {
			reader.topics = append(reader.topics, t.name)
		}
		if len(reader.topics) == 0 {
			continue
		}
		found, err := reader.settings(ctx)
		if err != nil {
			return err
		}
		settings[name] = found
	}
	late := map[*comparedTopic]bool{} // the first records are gone
	for _, t := range p.topics {
		late[t] = slices.ContainsFunc(w.Marks, func(m compare.Mark) bool { return t.is(m) && m.Start > 0 })
		if late[t] && t.side != once.Baseline {
			p.notes = append(p.notes, fmt.Sprintf("the first records of %s (%s) have been deleted: what is missing there proves nothing", t.name, t.side))
		}
	}
	j := &p.conclusions
	for _, t := range p.of(once.Left) {
		compacted := p.legacy && settings[once.Left][t.name].compacted
		j.LeftGone[t.stream] = late[t] || compacted
		if compacted {
			p.notes = append(p.notes, t.name+" is compacted: what it does not have may have been deleted there")
		}
	}
	for _, t := range p.of(once.Right) {
		j.RightGone[t.stream] = late[t]
	}
	for _, t := range p.of(once.Quarantine) {
		p.known = p.known && !late[t]
	}
	names := p.names(once.Right)
	why := whyNotComparable(names[:], settings[once.Right])
	for _, s := range []compare.Stream{compare.Orders, compare.Refunds} {
		j.Ordered[s] = why == "" && !j.RightGone[s] && !j.RightGone[s-1]
	}
	if why != "" {
		p.notes = append(p.notes, "which of two slim records came first is not checked: "+why)
	}
	return nil
}

// withoutGaps: where records are gone, the first that is left need not be the first that was.
func (p *comparison) withoutGaps(e *once.Engine) {
	names := p.names(once.Right)
	for _, s := range []compare.Stream{compare.Orders, compare.Refunds} {
		for _, topic := range []string{names[s], names[s-1]} {
			if p.conclusions.Ordered[s] && e.Gap(topic) {
				p.conclusions.Ordered[s] = false
				p.notes = append(p.notes, fmt.Sprintf("which of two %s came first is not checked: offsets of %s are without a record", s, topic))
			}
		}
	}
}
