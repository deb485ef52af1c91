// Package once compares topics once, up to given offsets, with bounded memory.
//
// What belongs here: the rows on disk, how far each topic has been taken into them,
// and judging all of them. What does not: reading topics (cmd), and the rules of
// comparison (package compare).
//
// Records are taken first, in any order of topics and partitions, then all rows are
// judged, in the order of their keys. Rows and positions are written in one batch, so
// that an interrupted run goes on where it was and comes to the same.
package once

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ticketscloud/vibe-bridge/compare"
)

// Side that a record is of.
type Side uint8

// Sides. Baseline is a replay of one of the others.
const (
	Left Side = iota
	Right
	Baseline
	sides

	// Quarantine is the quarantine topic, which has no rows.
	Quarantine = sides
)

var sideNames = [...]string{"left", "right", "baseline", "quarantine"}

func (s Side) String() string { return sideNames[s] }

// Options of an Engine.
type Options struct {
	Dir string
	FS  vfs.FS // nil: the disk
	// Form in which the sides meet.
	Form compare.Form
	// Legacy: the left side are legacy streams.
	Legacy bool
	// Readers of the sides. That of Baseline is nil without one.
	Readers [sides]compare.Reader
	// BaselineOf is the side of which Baseline is a replay, and BaselineHas the streams that it has a topic of.
	BaselineOf  Side
	BaselineHas [compare.Streams]bool
	// LegacyTopics are the names by which the quarantine topic calls them.
	LegacyTopics [compare.Streams]string
}

// Engine takes records and judges what they say. It is not safe for concurrent use.
type Engine struct {
	options  Options
	store    *store
	progress *progress
	folder   compare.Folder
	sheet    compare.Sheet
	key      []byte
}

// Open opens what an interrupted run has left in the folder, or begins anew.
func Open(o Options) (*Engine, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	store, err := openStore(o.Dir, o.FS)
	if err != nil {
		return nil, err
	}
	p, err := store.progress()
	if err != nil {
		return nil, errors.Join(err, store.close())
	}
	return &Engine{options: o, store: store, progress: p, folder: compare.Folder{Form: o.Form}}, nil
}

// Close keeps what was committed.
func (e *Engine) Close() error { return e.store.close() }

// Take takes a record into its row. Records of a partition have to come in their order,
// and may come again.
func (e *Engine) Take(side Side, s compare.Stream, topic string, r *compare.Record) error {
	if !e.progress.advance(side, topic, r) {
		return nil
	}
	e.progress.began(side, s, r.Time)
	e.options.Readers[side].Read(s, r, &e.sheet)
	if e.sheet.ID == "" && !e.named(side, s, r) {
		e.progress.Nameless[fmt.Sprintf("%s, %s: %s", side, s, e.said())]++
		return nil
	}
	e.key = append(rowPrefix(e.key[:0], s, e.sheet.ID), byte(side))
	row, err := e.store.side(e.key)
	if err != nil {
		return err
	}
	e.store.put(e.key, e.folder.Fold(row, s, &e.sheet, r, 0))
	return e.commitFull()
}

// named gives a record that has no id, and has to be in quarantine, a name of its own:
// whether it is there is to be judged.
func (e *Engine) named(side Side, s compare.Stream, r *compare.Record) bool {
	if side != Left || !e.options.Legacy || s == compare.Partners || e.sheet.Outcome != compare.Quarantined {
		return false
	}
	e.sheet.ID = fmt.Sprintf("(no id) %s/%d/%d", e.options.LegacyTopics[s], r.Partition, r.Offset)
	e.progress.Nameless[fmt.Sprintf("%s, %s: %s", side, s, e.said())]++
	return true
}

// said is what there is to be said of a record without an id.
func (e *Engine) said() string {
	switch e.sheet.Outcome {
	case compare.Tombstone:
		return "tombstone"
	case compare.Skipped:
		return "skipped, " + e.sheet.Reason
	case compare.Quarantined:
		return "quarantined, " + e.sheet.Reason
	}
	return "without an id"
}

func (e *Engine) commitFull() error {
	if !e.store.full() {
		return nil
	}
	return e.Commit()
}

// Commit writes what was taken.
func (e *Engine) Commit() error { return e.store.commit(e.progress) }

// Taken is how many records of a partition were.
func (e *Engine) Taken(side Side, topic string, partition int32) int64 {
	return e.progress.Taken[position(side, topic)][partition]
}

// Next is the offset behind the last record that was taken of a partition; false when
// none was.
func (e *Engine) Next(side Side, topic string, partition int32) (int64, bool) {
	next, ok := e.progress.Next[position(side, topic)][partition]
	return next, ok
}
