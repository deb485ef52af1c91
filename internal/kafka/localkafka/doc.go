// Package localkafka starts and stops real Apache Kafka on this machine, for tests and trials: KRaft, loopback,
// free ports, the broker's own jars from Maven, the machine's Java.
//
// What belongs here: getting the jars, writing a node's configuration, formatting its storage, starting it
// detached, waiting until it answers, stopping it by process id. The command around it is in
// internal/kafka/localbroker; tests that need a broker of their own (TLS, three nodes) use the package.
// What does not: clients, topics, and anything that a deployment of the bridge needs. The in-process fake
// is in internal/kafka/embedded.
//
// Layout below an instance's directory (build/kafka for `make kafka`):
//
//	brokers           addresses of the CLIENT listener, comma-separated; exists while the cluster runs
//	lock              held while a start or a stop is under way
//	node1/            one folder per node: server.properties, data/, log, pid
//
// and, shared by all instances of a checkout, build/kafka/jars.
package localkafka
