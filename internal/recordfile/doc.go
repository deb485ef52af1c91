// Package recordfile reads and writes record files: Kafka records as lines of
// JSON, one record a line. A capture of production topics, a generated season
// and the output of a dry run are record files.
//
//	{"topic":"orders_done","partition":0,"offset":17,"timestamp":1735689600000,"key":"…","headers":{},"value":"CgEx"}
//
//	field      JSON                 meaning
//	topic      string               a Kafka topic name
//	partition  integer              from 0
//	offset     integer              from 0
//	timestamp  integer              Unix milliseconds; -1 when the record has none
//	key        string, bytes, null  null: a record without key
//	headers    object               name to string, bytes or null
//	value      string, null         base64 (RFC 4648 section 4); null: a tombstone
//
// "bytes" is the object {"base64":"…"}. It stands for a key or a header value
// that is not UTF-8, and is read wherever it stands. A header name that is not
// UTF-8, or that begins with "base64:", is written as "base64:" and the base64
// of the name.
//
// The Writer writes all fields, in this order, without spaces: equal records
// give equal lines. An object has one value for a name, so of repeated headers
// the Writer keeps the last, in the place of the first. The Reader takes the
// fields in any order and lets key and headers be left out (no key, no
// headers); every other field must be there, and an unknown or repeated field
// is an error. Lines hold up to MaxLineBytes; empty lines are skipped.
//
// Files whose name ends in .gz are gzip. The name "-" is standard input or
// output, where gzip is recognised on reading and not written.
//
// Record files hold what the topics hold, so they may hold personal data: files
// are created readable by their owner alone, and no error shows content.
//
// What belongs here: this format. What does not: what the bytes of a key or
// value mean (legacyproto, slim), and reading from Kafka (cmd).
package recordfile
