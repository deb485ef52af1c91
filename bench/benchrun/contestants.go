package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/process"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// contestant is somebody who drains the legacy topics.
type contestant struct {
	name, about string
	// whole says that it does the whole job: what it leaves is verified.
	whole bool
	// loaded says that it is also measured under a load, when it recovers and when an instance is killed.
	loaded bool
	// members is how many members of a consumer group one instance is.
	members int
	// ends says that it ends by itself when everything is drained.
	ends    bool
	prepare func(context.Context, *bench) error // before anything is measured; nil: nothing to do
	command func(*bench, *place) []string
	config  string // more lines for the configuration of its deployment
	// changelogs is how the names of the topics end that its state is restored from; "": they are not looked at.
	changelogs string
	// tells says that it answers for itself over HTTP, as the bridge does.
	tells bool
}

// place is what a contestant of a round has for itself.
type place struct {
	name   string // of its deployment: consumer groups and internal topics begin with it
	prefix string // of its slim topics
	legacy string // before the names of its legacy topics; "": those that all drain
	dir    string // of an instance
	target string // address of the target cluster; "": the broker's own
	known  int    // rows that are in its state before it begins
}

func newPlace(b *bench, name string) *place {
	return &place{name: name, prefix: "slim-" + name + "-", dir: filepath.Join(b.dir, name)}
}

// twin is the place of another instance of the same deployment.
func (p *place) twin() *place {
	t := *p
	t.dir += "-twin"
	return &t
}

// patience is how long it may take for the first record to come out: state is read back before.
func (p *place) patience() time.Duration {
	return noOutput + time.Duration(p.known)*100*time.Microsecond
}

func (p *place) state() string             { return filepath.Join(p.dir, "state") }
func (p *place) log() string               { return filepath.Join(p.dir, "log") }
func (p *place) config() string            { return p.dir + ".yaml" }
func (p *place) reads(topic string) string { return p.legacy + topic }

var contestants = []contestant{
	{
		name: "franz", about: "franz-go reads as much and writes as much, with no work in between: the floor", ends: true,
		command: func(b *bench, p *place) []string { return b.floor("franz", p) },
	},
	{
		name: "sarama", about: "the same with sarama, the client of Goka, configured as the bridge has it", ends: true,
		command: func(b *bench, p *place) []string { return b.floor("sarama", p) },
	},
	{
		name: "bridge", about: "vibe-bridge, with its defaults", whole: true, loaded: true, members: 1, changelogs: "-table", tells: true,
		command: runBridge,
	},
	{
		name: "bridge-encrypted", about: "the same with encryption at rest", whole: true,
		prepare: makeKeys, command: runBridge, config: "encryption: {keys_file: ../keys}\n",
	},
	{
		name: "bridge-zstd", about: "the same with Zstandard in place of LZ4", whole: true,
		command: func(b *bench, p *place) []string { return append(runBridge(b, p), "--target-compression=zstd") },
	},
	{
		name: beforeName, about: "another build of vibe-bridge, for what a change has brought (only with -before)", whole: true, loaded: true, members: 1, changelogs: "-table", tells: true,
		command: func(b *bench, p *place) []string { return append([]string{b.before}, runBridge(b, p)[1:]...) },
	},
	{
		name: "kafka-streams", about: "the same job with Kafka Streams, at least once", whole: true, loaded: true, members: streamsThreads,
		prepare: buildStreams,
		command: func(b *bench, p *place) []string { return b.streams(p, "at_least_once") },
		config:  noSource,
	},
	{
		name: "kafka-streams-eos", about: "the same with exactly_once_v2", whole: true, loaded: true, members: streamsThreads,
		prepare: buildStreams,
		command: func(b *bench, p *place) []string { return b.streams(p, "exactly_once_v2") },
		config:  noSource,
	},
	{
		name: "benthos-stateless", about: "Benthos (Redpanda Connect) does less: each record is mapped by itself, with no join, order, state or repeats suppressed",
		prepare: buildBenthos,
		command: func(b *bench, p *place) []string { return b.benthos(p) },
	},
}

func runBridge(b *bench, p *place) []string {
	return []string{b.program("vibe-bridge"), "run", "--config", p.config()}
}

// makeKeys writes a file with a key, relative to the folder of each contestant.
func makeKeys(_ context.Context, b *bench) error {
	var key [32]byte
	rand.Read(key[:])
	return os.WriteFile(filepath.Join(b.dir, "keys"), []byte("bench "+base64.StdEncoding.EncodeToString(key[:])+"\n"), 0o600)
}

// noSource is for who does not write the trace header, which the contract does not ask for.
const noSource = "source_header: false\n"

const beforeName = "bridge-before"

// contestantNames are those of everybody who is measured if nobody is named.
func contestantNames() (all []string) {
	for _, c := range contestants {
		if c.name != beforeName {
			all = append(all, c.name)
		}
	}
	return all
}

func named(name string) contestant {
	return contestants[slices.IndexFunc(contestants, func(c contestant) bool { return c.name == name })]
}

// floor moves as many records of as many bytes as the bridge writes.
func (b *bench) floor(client string, p *place) []string {
	args := []string{b.program("floor"), "-brokers", b.addr, "-client", client, season.TopicPartners}
	for _, topic := range []string{season.TopicEvents, season.TopicOrders, season.TopicRefunds} {
		s := b.shape.Slim[topic]
		args = append(args, fmt.Sprintf("%s=%s:%d:%g", topic, p.prefix+slimOf[topic], s.Bytes, s.Of))
	}
	return args
}

var slimOf = map[string]string{season.TopicEvents: "events", season.TopicOrders: "orders", season.TopicRefunds: "refunds"}

const (
	streamsFolder  = "bench/peers/kafka-streams"
	streamsThreads = 2
	benthosFolder  = "bench/peers/benthos"
)

func (b *bench) streamsJar() string {
	return filepath.Join(b.root, streamsFolder, "target", "kafka-streams-peer.jar")
}

// isBuilt tells whether what was built of a folder is newer than all that is in it. What Maven leaves there is no source.
func isBuilt(what, folder string) bool {
	built, err := os.Stat(what)
	if err != nil {
		return false
	}
	newer := false
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "target":
			return filepath.SkipDir
		case entry.IsDir():
			return nil
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().After(built.ModTime()) {
			newer = true
		}
		return err
	})
	return err == nil && !newer
}

func buildStreams(ctx context.Context, b *bench) error {
	if isBuilt(b.streamsJar(), filepath.Join(b.root, streamsFolder)) {
		return nil
	}
	b.say("building the peer of Kafka Streams (the first time takes minutes)")
	return b.command(ctx, filepath.Join(b.root, streamsFolder, "build"))
}

func (b *bench) streams(p *place, guarantee string) []string {
	return []string{
		filepath.Join(b.root, streamsFolder, "run"), "--bootstrap", b.addr, "--application-id", p.name,
		"--partners", p.reads(season.TopicPartners), "--events", p.reads(season.TopicEvents), "--orders", p.reads(season.TopicOrders), "--refunds", p.reads(season.TopicRefunds),
		"--slim-prefix", p.prefix, "--partitions", fmt.Sprint(b.partitions), "--state-dir", p.state(), "--directory", b.directory(),
		"--compression", "lz4", "--guarantee", guarantee, "--threads", fmt.Sprint(streamsThreads), "--session-timeout-ms", fmt.Sprint(sessionTimeout.Milliseconds()),
	}
}

func (b *bench) benthosProgram() string { return filepath.Join(b.root, "build", "benthos") }

func buildBenthos(ctx context.Context, b *bench) error {
	if isBuilt(b.benthosProgram(), filepath.Join(b.root, benthosFolder)) {
		return nil
	}
	b.say("building the peer of Benthos (the first time takes minutes)")
	return b.command(ctx, filepath.Join(b.root, benthosFolder, "build"))
}

func (b *bench) benthos(p *place) []string {
	return []string{
		filepath.Join(b.root, benthosFolder, "run"), "--bootstrap", b.addr, "--application-id", p.name, "--slim-prefix", p.prefix,
		"--partners", p.reads(season.TopicPartners), "--events", p.reads(season.TopicEvents), "--orders", p.reads(season.TopicOrders), "--refunds", p.reads(season.TopicRefunds),
	}
}

func (b *bench) directory() string { return filepath.Join(b.dir, "directory.json") }

// sessionTimeout is that of all contestants: for so long nobody knows that an instance is gone.
const sessionTimeout = 15 * time.Second

// configure writes the configuration of an instance, with more lines behind what all have.
func (b *bench) configure(p *place, more string) error {
	text := fmt.Sprintf(`name: %s
source: {brokers: [%q]}
target: {brokers: [%q]}
state: {brokers: [%q]}
topics: {partners: %s, events: %s, orders: %s, refunds: %s}
slim: {prefix: %q, partitions: 1}
partitions: %d
replication: 1
min_insync: 1
session_timeout: %s
directory_file: %q
state_dir: %q
http: {listen: "127.0.0.1:0"}
`, p.name, b.addr, cmp.Or(p.target, b.addr), b.addr, p.reads(season.TopicPartners), p.reads(season.TopicEvents), p.reads(season.TopicOrders), p.reads(season.TopicRefunds),
		p.prefix, b.partitions, sessionTimeout, b.directory(), p.state())
	text += more
	return os.WriteFile(p.config(), []byte(text), 0o600)
}

// start starts an instance in its place.
func (b *bench) start(c contestant, p *place) (*process.Process, error) {
	log, err := os.Create(p.log())
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own
	args := c.command(b, p)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	return process.Start(cmd)
}
