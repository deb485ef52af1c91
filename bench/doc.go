// Package bench has the benchmark: what the brokers allow, what the bridge does of it, and what others do with the same
// job (docs/performance.md).
//
//	benchrun/            loads a season and has contestants drain it in turns, recover from it, keep up with a load and lose
//	                     an instance; verifies each result, tells ratios and goals
//	floor/               reads the legacy topics and writes as many bytes as the bridge, with no work in between
//	planrun/             measures what `vibe-bridge plan` calculates with, and whether its predictions hold (docs/scaling.md)
//	peers/kafka-streams  the same job as a user of Kafka Streams would write it
//	peers/benthos        a part of the job: records mapped one by one, as a user of Benthos (Redpanda Connect) would write it
//
// What belongs here: contestants and how they are measured. What does not: tests; nothing here runs in `make test` but
// the tests of the programs themselves.
package bench
