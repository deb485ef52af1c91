// Package legacyproto holds the schemas of the four legacy streams and the Go
// types generated from them by internal/protogen.
//
// The schemas describe a wire format that somebody else publishes; the table
// in testdata/legacy-wire.tsv states it as data, and a test holds the schemas
// to it in both directions. The messages have no protobuf package, because the
// published ones have none.
//
// What belongs here: the full legacy messages, as the generator, the explain
// command and the comparison need them. What does not: rules about what the
// fields mean (package mapping), and the cut-down messages that the bridge
// decodes in production (package legacyproto/intake).
package legacyproto
