// Package slim is what the bridge writes: the events, orders and refunds of
// the slim contract, as bytes.
//
// Here belong the shapes of the records, the two editions of their JSON, their
// Protobuf form (package vibev1), the headers of a record and the partition
// that a key belongs to; and the strict readers of the same bytes, for
// consumers, for comparison and for tests. Here does not belong how a legacy
// record becomes a slim one (package mapping), nor anything that talks to
// Kafka (packages processors and internal/kafka). Everything in this package
// is a pure function: no clock, no I/O, no logger, no state. The same input
// gives the same bytes.
//
// # Values and encoders
//
// [Event], [Order] and [Refund] hold the union of both editions. Their values
// are already in the units and in the vocabulary of the edition they are
// written in; the encoders decide only which fields there are, in which order
// and how they are spelled. A field that an edition does not have is not
// written in it, whatever its value. Validate tells whether a record fulfils
// the contract; the encoders do not, and always give well-formed output.
//
// # Text that is not UTF-8
//
// The mapping contract quarantines it before it comes here. Should it come
// all the same, then each byte that is not UTF-8 is written as U+FFFD, in JSON
// as well as in Protobuf.
package slim
