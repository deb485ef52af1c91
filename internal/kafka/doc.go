// Package kafka is the bridge's way to its Kafka clusters.
//
// What belongs here: a cluster's configuration and login (Cluster), the client profile that every connection uses
// and that is refused when weakened (ConsumerConfig, ProducerConfig, AdminConfig, CheckProfile), creating and
// checking topics (Admin, Plan), the record of internal topics' identities (CheckIdentity, protocol rule R8), the
// one way of an instance to all its brokers, which can be cut (Wire), the acknowledgement tracker around the consumer
// group, reading a topic up to its end (Cluster.Read), and errors of clients said in one clear line (Explain).
//
// What does not: which topics exist and what they are for, records' contents, Goka groups (package processors),
// flags and files of configuration (package main). The in-process broker is in embedded, real Kafka for tests in
// localkafka, test fixtures in kafkatest.
package kafka
