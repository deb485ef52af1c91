// Package verify is an independent checker of what the bridge wrote: it is given
// the records of the legacy topics, of the slim topics and of the quarantine
// topic, and says what is lost, out of order, out of date or not as the contract
// wants it.
//
// What belongs here: a second, plain implementation of the mapping contract, the
// strict readers of slim records that go with it, and the comparison of the two.
// Written from contract/mapping.md, contract/slim.md and docs/decisions alone, it
// shares no rule, parser or encoder with the bridge: a mistake would have to be
// made twice to go unnoticed. A test checks the imports: the generated schemas
// and the phone library are common, nothing else is.
//
// What does not: reading topics (cmd), and anything of the bridge's state. There
// is no clock, no I/O and no logger here; the time of day comes in as an argument.
//
// # How it works
//
// A [Checker] takes records in any order, with one rule: when a slim record is
// given to it, the legacy and quarantine records that the bridge can have read
// before it wrote that record have been given already. Of every version of an
// entity it keeps hashes, not content: a slim value has a part of its own, made
// of its legacy record alone, and a borrowed part, made of what it refers to
// (a ticket's set names, an organizer, a customer). The own part is compared by
// hash; the borrowed one is worked out from the few facts that are kept of events
// and partners. So no phone, name, e-mail or barcode stays in memory, and an
// order takes some 550 bytes, its part of events and refunds included.
//
// # What it holds against a slim record
//
// Of every record: key, partition, headers, form (malformed), and that some
// combination of legacy versions explains its value (foreign, duplicate). Of the
// newest record of a key: that it is what the newest legacy records say (stale).
// Of every legacy entity: that it has a record, or a reason to wait (lost).
//
// A value is explained if its own part is that of a version of its entity, of the
// very version that bridge-source names where it is written, and each borrowed
// piece is one that some version of what it is borrowed from gives: a ticket's
// category of any version of its set, a customer of any version of the order.
// Names that the directory gives (category, venue, zone) are held against the
// newest record of a key alone, because the directory's history is not known.
// This accepts combinations that never were at one time; it does not raise a
// false alarm, whatever the interleaving, crash or replay.
package verify
