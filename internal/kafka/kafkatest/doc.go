// Package kafkatest has what the tests of all packages share about Kafka: brokers to run against, names that do
// not collide, produce and read helpers that use another client library than the bridge (so that an error in one
// is not hidden by the same error in the other), and certificates.
//
// What belongs here: fixtures of tests. What does not: anything that production code imports.
package kafkatest
