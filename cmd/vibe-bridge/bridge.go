package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/logging"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// internalBytes is the least limit on a record of an internal topic.
const internalBytes = config.LeastInternalBytes

// bridgeConfig is a configuration as processors take it.
func bridgeConfig(c config.Config) (processors.Config, error) {
	rules, err := bridgeRules(c)
	if err != nil {
		return processors.Config{}, err
	}
	events, orders, refunds := c.Slim.Names()
	cfg := processors.Config{
		Topics: processors.NewTopics(c.Name, [4]string{
			mapping.Partners: c.Topics.Partners, mapping.Events: c.Topics.Events,
			mapping.Orders: c.Topics.Orders, mapping.Refunds: c.Topics.Refunds,
		}, events, orders, refunds),
		Rules:         rules,
		ApplicationID: c.ApplicationID, SourceHeader: c.SourceHeader,
		Source: c.Source, State: c.State, Target: c.Target,
		StateDir: c.StateDir, SweepInterval: c.SweepInterval, StallAfter: c.StallAfter, SessionTimeout: c.SessionTimeout, StopTimeout: c.StopTimeout,
		Priming: c.Priming,
		Breaker: processors.BreakerConfig{MaxShare: c.Quarantine.MaxShare, Window: c.Quarantine.Window, MinRecords: c.Quarantine.MinRecords},
	}
	cfg.Target.MaxMessageBytes = c.MaxMessageBytes
	cfg.State.MaxMessageBytes = c.InternalBytes()
	cfg.Settings = processors.TopicSettings{
		Partitions: c.Partitions, SlimPartitions: c.Slim.Partitions,
		Replication: c.Replication, MinInsync: c.MinInsync,
		InternalRetention: c.InternalRetention,
		MaxInternalBytes:  cfg.State.MaxMessageBytes, MaxSlimBytes: c.MaxMessageBytes,
	}
	return cfg, nil
}

func bridgeRules(c config.Config) (*mapping.Rules, error) {
	location, err := time.LoadLocation(c.DefaultTimezone)
	if err != nil {
		return nil, refusef("default_timezone: %w", err)
	}
	_, d, err := loadDirectory(c.DirectoryFile, c.CategoriesFile)
	if err != nil {
		return nil, err
	}
	rules := &mapping.Rules{
		Encoding: c.Encoding(), Directory: d, DefaultLocation: location,
		OrganizerHold: c.Holds.Organizer, SetHold: c.Holds.Set, MaxRecordBytes: c.MaxMessageBytes, RepeatAfter: c.TakeoverRepeat,
	}
	if err := rules.Validate(); err != nil {
		return nil, refuse(err)
	}
	return rules, nil
}

// loadDirectory reads the directory, and the category table that replaces the
// built-in one. Either name may be empty.
func loadDirectory(directoryFile, categoriesFile string) (*directory.CategoryTable, *directory.Directory, error) {
	categories := directory.DefaultCategories()
	if categoriesFile != "" {
		data, err := os.ReadFile(categoriesFile)
		if err != nil {
			return nil, nil, refusef("read categories: %w", err)
		}
		if categories, err = directory.ParseCategories(data); err != nil {
			return nil, nil, refusef("read categories %s: %w", categoriesFile, err)
		}
	}
	if directoryFile == "" {
		return categories, directory.Empty(), nil
	}
	d, err := directory.Load(directoryFile, categories)
	if err != nil {
		return nil, nil, refuse(err)
	}
	return categories, d, nil
}

// newLogger logs to w: text where a person reads it, JSON elsewhere. What repeats is held back: logging.Flush before the end.
func newLogger(w io.Writer, c config.Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, refusef("log.level %q: want debug, info, warn or error", c.Level)
	}
	options := &slog.HandlerOptions{Level: level}
	var lines slog.Handler = slog.NewJSONHandler(w, options)
	if c.Format == "text" || c.Format == "auto" && isTerminal(w) {
		lines = slog.NewTextHandler(w, options)
	}
	log := slog.New(logging.Limit(lines))
	logging.Sarama(log)
	return log, nil
}

// isTerminal tells whether a stream of the process is one.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// loadConfig reads the configuration of a command that cannot do without one.
func loadConfig(a *app, path string, flags *pflag.FlagSet) (config.Config, error) {
	c, err := config.Load(path, a.env, flags)
	switch {
	case err != nil && path == "":
		return config.Config{}, refusef("%w; there is no configuration file: give it with --config", err)
	case err != nil:
		return config.Config{}, refuse(err)
	}
	return c, nil
}
