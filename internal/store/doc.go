// Package store keeps a Goka table partition in a Pebble database on local disk
// and, beside the values, an index of the keys that wait for something.
//
// It belongs here: the implementation of Goka's storage.Storage, the range reads
// a callback makes on its own partition, the index of waiting keys, opening and
// closing databases, and the errors an operator reads when a state directory
// cannot be used. It does not belong here: what a value means (an [Indexer] is
// passed in), which session may write (the fencing rules of the safety protocol,
// which a wrapper around [Store] applies), Kafka, and configuration.
//
// # Layout
//
// One directory per topic and partition, Dir/topic/partition, mode 0700. In each
// one Pebble database, whose keys start with a byte that names their space:
//
//	d KEY                value of KEY
//	i KEY                reason, since, deadline      KEY waits
//	t DEADLINE KEY       reason, since                KEY waits no longer than DEADLINE
//	m format             layout version
//	m index              version of the Indexer that wrote i and t
//	m count              number of keys in i
//	m offset             changelog offset up to which the values are known to be stored
//
// Integers are big-endian; times have their sign bit flipped so that byte order is
// time order. Only the space d is visible through Goka's interface.
//
// # Invariants
//
//  1. A value, its index entries, the count and the offset known by then are
//     written in one batch. After any crash they agree.
//  2. The stored offset never leads the values: SetOffset is remembered in memory
//     and written with the next value, so it is written after every value
//     that came before it. It may lag; Goka then replays a few records more.
//     While a new database is filled from its changelog (until MarkRecovered), values
//     of keys that come again are held in memory, and no offset is written before them.
//  3. The index is what the Indexer of the stored version says of the values. Replace
//     relies on it; Set and Delete read the old entry from i KEY.
//  4. m index is absent while the index is being rebuilt. A rebuild that was
//     interrupted starts again.
//
// # Crashes
//
// There is no write-ahead log: the changelog is one. A write is in memory until the
// memtable is full and goes to the disk as a whole. Therefore:
//
//   - Close: the memtable is flushed; nothing is lost.
//   - kill -9, machine crash, power loss: the writes since the last flush are lost, two
//     memtables of them at most (Options.MemTableBytes).
//
// In each case what remains is a prefix of the writes, never a later write
// without an earlier one, but for a database that was still being filled: there some
// values are newer than the stored offset, and others missing. By invariant 2 Goka's recovery reads the lost part again
// from the changelog. A value that was in the store and not yet in the changelog
// is gone with it: its input record is not committed and comes again.
//
// # Full and broken disks
//
// At the first write that the disk refuses the database is frozen: what is on the
// disk stays as it is, Set, Delete, SetOffset and Close return [ErrFailed], and reads
// go on until Close. A processor then stops with that error and can be started again
// when the disk takes writes; what is missing is read from the changelog as after a
// kill -9.
//
// # Old directories
//
// A partition that comes back to this machine catches up from its stored offset. If
// it was away for longer than the changelog keeps deletions (delete.retention.ms), it
// misses those, and deleted keys live on in it. This package cannot know; whoever
// deletes keys has to keep that time long or remove old directories.
package store
