// Package processors is the bridge's stream processing: Goka groups, their
// topics and tables, and the instance that runs them.
//
// One group stands in one file: its name and graph on top, then its callbacks.
// A callback reads, calls a pure function of package mapping, and applies the
// effects; no rule is decided here. Names, codecs, hasher and numbers of all
// topics stand in topics.go. Clients, the acknowledgement tracker and the
// producer are package kafka's, the local state is package store's.
//
//	source cluster                 state cluster                              target cluster
//
//	partners ────▶ intake ──▶ <p>-partners ──▶ ┌────────────┐
//	                          <p>-memberships ▶│ organizers │─▶ <p>-organizers ─┐
//	                               ▲           └─ table,loop┘                   │
//	                               └──────────────────────────┐                 ▼
//	events ──────▶ intake ──▶ <p>-events ────────────────▶ ┌──┴───┐ ◀───────────┘
//	orders_done ─▶ intake ──▶ <p>-orders ────────────────▶ │ gate │ ─────▶ events, orders, refunds
//	refund_     ─▶ intake ──▶ <p>-refunds ───────────────▶ └──────┘
//	requests            │                                 table, loop
//	                    └──▶ <p>-quarantine ◀── gate
//
// What holds intake back stands in admission.go: at the start, orders and refunds
// wait for partners and events (priming.go); and a legacy topic whose records are mostly
// bad is paused (breaker.go), by a record in <p>-control that every instance follows.
//
// Everything in the middle column has the same number of partitions, and the
// partition of a key is that of its part before the first slash: all keys of an
// event meet in one goroutine, which decides about them one after the other.
package processors
