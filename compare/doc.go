// Package compare holds old outputs against new ones: what the legacy streams say
// should be in the slim topics against what is there, or two sets of slim topics
// against each other.
//
// What belongs here: what records say, in one canonical form (readers), what is kept
// of it (rows), what is to be held against them (judge), which differences are
// expected, and the verdict. What does not: reading topics and files (cmd), the
// storage of rows, samples, and the Goka groups of the continuous comparison.
//
// The rules by which legacy records are read are a table of this package's own,
// fields.tsv. Nothing of package mapping is called: a mistake there has to be found
// here.
//
// # From records to a verdict
//
//	record ── Reader ──▶ Sheet ── Fold ──▶ row of the entity ── Judge ──▶ Finding ──▶ Tally ──▶ Report
//	                 texts by field     digests by field, both sides    differences        counts, verdict
//
// A Sheet is one record as a flat list of fields. Its texts live as long as the record
// does. A row keeps a digest of 32 bits for each field, so that it shows which
// field differs and says nothing of its content; samples are read again from their
// topics, by the positions that rows keep (package sample). Two different texts have equal digests once
// in four billion times.
//
// # What is borrowed
//
// A legacy order does not carry its ticket's category, nor a refund its customer. A
// cell says where its value comes from (Source), and the Judge takes it from the row of
// the entity that has it, at the time of judging. So the same rows give the same
// findings whatever came first.
package compare
