// Package live compares on and on: Goka groups of their own, beside those of the bridge,
// with topics, tables and state folders of their own. They only read what the bridge
// reads and writes, and cost it nothing.
//
// What belongs here: the groups, what they say to each other, the walks over their
// tables, and what is published of those. What does not: what a record says, what a difference is, and the
// verdict, which are package compare's; flags and HTTP, which are cmd's.
//
//	left and right topics             state cluster, <c> is NAME-compare
//
//	partners ────────▶ intake ─▶ <c>-partner-records ─▶ partners
//	                                                     └ table ───────────┐ read whole by
//	events, slim events ▶ intake ─▶ <c>-records ─────▶ ┌────────┐ ◀─────────┘ every instance
//	                                                   │ events │
//	orders, slim orders ─┐                  ┌─ <c>-rows┤        │─▶ NAME-differences
//	refunds, slim ref.  ─┴▶ intake ─▶ <c>-halves       └ table, │
//	                                        │  ▲         loop   └─▶ <c>-totals
//	                                        ▼  │
//	                                       joins ─▶ NAME-differences, <c>-totals
//	                                       table, loop
//
// There is one group of intake for each topic of both sides, as Goka wants equal numbers of
// partitions within a group. They make a Sheet of every record and send its digest on.
//
// # Keys
//
// An order or a refund is judged beside its event. But a slim refund does not say whose it is, nor does
// a deleted or unreadable order, and an order may name the wrong event, which is to be found. So the halves
// of orders and refunds meet in the group joins by their own ids, and what has met goes to EVENT/ORDER and
// EVENT/ORDER/REFUND: by what the left side says, or else the right one. What no side says of stays in joins, and is judged there.
// All internal topics are partitioned by the part of the key before the first slash.
//
// # When a difference counts
//
// The horizon (horizon.go) is a moment up to which everything that was in the topics has
// gone through all groups. A side that was read after horizon less grace is too young to be held
// against the other. Before the first horizon everything is.
//
// # Walks
//
// Every instance walks over the tables of the partitions that it has, at intervals (audit.go). A walk reads the
// store beside the callbacks and writes nothing to Kafka for what is as it was; it does not go through a
// loop, so that it neither costs records nor holds up a partition. Only where what is published of an
// entity has changed, a command goes to the loop, and the callback looks again and
// publishes: rows are written by callbacks alone.
//
// # Samples
//
// A walk keeps where the records of some differences are, and those of what they borrow from, whichever instance has
// their rows. Whoever is asked for a report reads these records from the topics, and keeps what it has
// shown (samples.go). Topics, tables and metrics have no text of a record.
//
// # What may happen
//
//   - Every input may come again, in a row with what came behind it. Folding it in again changes nothing, and what
//     was sent is sent again: a row may be acknowledged and what was sent beside it not. So joins keeps where an entity
//     has gone from, until that is acknowledged.
//   - What is published of an entity is up to whoever judges it. One that has been judged elsewhere is published anew.
//   - Partners are not read through goka.Lookup: it does not tell how far it is, and the
//     horizon has to know. They are followed in memory, as <c>-totals and the quarantine topic are (tail.go).
//   - An instance that lost its partitions and does not know it may write over newer rows, as nothing here
//     fences it. A row that is older than it should be shows as a difference, and is mended by the entity's next record.
//     The bridge's own tables are fenced; a comparison is made again.
package live
