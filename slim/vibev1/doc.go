// Package vibev1 is the Protobuf form of the slim streams, edition 1.0:
// vibe.proto and the Go code generated from it.
//
// Consumers may import it. Nothing is written here by hand but the .proto and
// this comment; what goes into which field is decided in package slim. The
// numbers of fields and enum values are published and do not change: a test in
// package slim holds them against the table of the slim contract.
package vibev1
