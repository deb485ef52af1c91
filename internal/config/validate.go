package config

import (
	"fmt"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // default_timezone must resolve alike on every machine
	"unicode"
	"unicode/utf8"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Bounds. Where one is not a matter of taste, the reason stands beside it.
const (
	// Names of internal topics and tables are the deployment's name and a word
	// more; Kafka allows 249 bytes, metrics and folder names want fewer.
	maxNameBytes          = 64
	maxTopicBytes         = 249
	maxApplicationIDBytes = 255
	maxPartitions         = 1024

	// Kafka's own default for any topic, and what the clients can carry.
	minMessageBytes = 1 << 20
	maxMessageBytes = 10 << 20 // six times that has to fit into a request

	// An hour is Goka's default for loop topics, and has lost data in an outage
	// of more than that.
	minInternalRetention = 2 * time.Hour

	minSweepInterval = 100 * time.Millisecond
	maxSweepInterval = time.Hour

	// Below a second not even a healthy instance ends in order; after ten minutes
	// the clients give up by themselves.
	minStopTimeout    = time.Second
	maxStopTimeout    = 10 * time.Minute
	maxTakeoverRepeat = time.Hour

	// A window of an hour counts what was put right long ago.
	minBreakerWindow  = time.Second
	maxBreakerWindow  = time.Hour
	maxBreakerRecords = 1_000_000

	// A rebalance takes several seconds, and so does a broker's restart.
	minStallAfter = 10 * time.Second
	maxStallAfter = 24 * time.Hour
)

var (
	nameRule  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	topicRule = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// Validate checks every value against its bounds and against the others. The
// error is an *Error with every problem, each with the key, the value and what
// is wanted. Files that a cluster's security names are read.
func (c Config) Validate() error {
	if found := c.problems(); len(found) > 0 {
		return &Error{Problems: found}
	}
	return nil
}

func (c Config) problems() []Problem {
	v := &validator{}
	v.output(c)
	v.behaviour(c)
	v.surroundings(c)
	v.topics(c)
	v.compare(c)
	v.cutover(c.Cutover)
	v.cluster("source", c.Source)
	v.cluster("target", c.Target)
	if !reflect.DeepEqual(c.State, c.Target) { // else everything would be said twice
		v.cluster("state", c.State)
	}
	return v.found
}

type validator struct{ found []Problem }

func (v *validator) add(path string, format string, args ...any) {
	v.found = append(v.found, Problem{Key: path, Text: fmt.Sprintf(format, args...)})
}

// between checks low <= value <= high.
func between[T int | int16 | int32 | float64 | time.Duration](v *validator, path string, value, low, high T) {
	if value < low || value > high {
		v.add(path, "%v: want %v to %v", value, low, high)
	}
}

func oneOf(v *validator, path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.add(path, "%s: want one of %s", quote(value), strings.Join(allowed, ", "))
	}
}

// output checks what slim records look like.
func (v *validator) output(c Config) {
	_, editionErr := slim.ParseEdition(c.Edition)
	if editionErr != nil {
		oneOf(v, "edition", c.Edition, "1.0", "2.0")
	}
	_, formatErr := slim.ParseFormat(c.Format)
	if formatErr != nil {
		oneOf(v, "format", c.Format, "json", "protobuf")
	}
	if editionErr == nil && formatErr == nil {
		if err := c.Encoding().Validate(); err != nil {
			v.add("format", "%s with edition %s: %v", c.Format, c.Edition, err)
		}
	}
	if c.ApplicationID == "" || len(c.ApplicationID) > maxApplicationIDBytes || !isPlainText(c.ApplicationID) {
		v.add("application_id", "%s: want 1 to %d bytes of printable UTF-8, as it is a header of every record", quote(c.ApplicationID), maxApplicationIDBytes)
	}
	if c.DefaultTimezone == "" || c.DefaultTimezone == "Local" {
		v.add("default_timezone", "%s: want an IANA name such as Europe/Moscow", quote(c.DefaultTimezone))
	} else if _, err := time.LoadLocation(c.DefaultTimezone); err != nil {
		v.add("default_timezone", "%s: there is no such zone: want an IANA name such as Europe/Moscow", quote(c.DefaultTimezone))
	}
}

func isPlainText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// behaviour checks numbers and times.
func (v *validator) behaviour(c Config) {
	between(v, "partitions", c.Partitions, 1, maxPartitions)
	between(v, "slim.partitions", c.Slim.Partitions, 1, maxPartitions)
	between(v, "stall_after", c.StallAfter, minStallAfter, maxStallAfter)
	between(v, "takeover_repeat", c.TakeoverRepeat, 0, maxTakeoverRepeat)
	between(v, "quarantine.max_share", c.Quarantine.MaxShare, 0, 1)
	between(v, "quarantine.window", c.Quarantine.Window, minBreakerWindow, maxBreakerWindow)
	between(v, "quarantine.min_records", c.Quarantine.MinRecords, 1, maxBreakerRecords)
	between(v, "sweep_interval", c.SweepInterval, minSweepInterval, maxSweepInterval)
	between(v, "max_message_bytes", c.MaxMessageBytes, minMessageBytes, maxMessageBytes)
	if c.Replication < 1 {
		v.add("replication", "%d: want 1 or more", c.Replication)
	} else {
		between(v, "min_insync", c.MinInsync, 1, c.Replication)
	}
	if c.InternalRetention < minInternalRetention {
		v.add("internal_retention", "%v: want %v or more: what is deleted before it is read is lost", c.InternalRetention, minInternalRetention)
	} else {
		// A held record waits in an internal topic; half leaves time to read it.
		between(v, "holds.organizer", c.Holds.Organizer, 0, c.InternalRetention/2)
		between(v, "holds.set", c.Holds.Set, 0, c.InternalRetention/2)
	}
	v.sessionTimeout(c.SessionTimeout)
	between(v, "stop_timeout", c.StopTimeout, minStopTimeout, maxStopTimeout)
}

// sessionTimeout leaves the bounds to the package that knows their reason.
func (v *validator) sessionTimeout(value time.Duration) {
	if value == 0 { // the default, to that package
		v.add("session_timeout", "0s: want a time, or remove the key")
		return
	}
	if err := (kafka.ConsumerOptions{SessionTimeout: value}).Validate(); err != nil {
		path, text := cutProblem(err.Error())
		v.add(path, "%s", text)
	}
}

// surroundings checks names, folders and addresses.
func (v *validator) surroundings(c Config) {
	if len(c.Name) > maxNameBytes || !nameRule.MatchString(c.Name) {
		v.add("name", `%s: want 1 to %d of a-z, A-Z, 0-9, ".", "_" and "-", beginning with a letter or digit: internal topics are named after it`, quote(c.Name), maxNameBytes)
	}
	if c.StateDir == "" {
		v.add("state_dir", `"": want a folder on a disk that outlives restarts`)
	}
	oneOf(v, "log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf(v, "log.format", c.Log.Format, "auto", "text", "json")
	v.http(c.HTTP)
}

func isListenAddress(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// cluster checks one cluster with its package's own rules.
func (v *validator) cluster(name string, c kafka.Cluster) {
	for _, line := range lines(c.Validate()) {
		path, text := cutProblem(line)
		switch path {
		case "max_message_bytes", "replication", "min_insync":
			continue // copies of the deployment's own, which are checked once
		}
		v.add(name+"."+path, "%s", text)
	}
}

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// cutProblem parts "path[0]: text". An index belongs to the text.
func cutProblem(line string) (path, text string) {
	path, text, _ = strings.Cut(line, ": ")
	if bracket := strings.IndexByte(path, '['); bracket >= 0 {
		return path[:bracket], "entry " + path[bracket:] + ": " + text
	}
	return path, text
}
