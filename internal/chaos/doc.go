// Package chaos runs a whole deployment of the bridge on a real Apache Kafka of its own, breaks it on purpose while
// records flow, and has an independent checker (package verify, through the command) judge what came out.
//
//	writer ──────────────▶ Kafka ◀── proxy ◀── instance 1, 2, … (processes of the real binary)
//	 (season, hostile)       ▲          ▲            ▲
//	                      kill -9    cut, delay,  kill -9, SIGSTOP, SIGTERM,
//	                                 stall        state deleted, one more
//
// A run draws its faults from a seed, so that it can be repeated: equal configurations give equal schedules, though not
// equal times. When the last fault is over it waits until nothing is on its way, and fails unless `vibe-bridge verify`
// finds nothing, the accounts balance, nothing stood still for too long, and no instance ended in a way that is not
// documented. Everything is bounded in count and time, listens on loopback, and ends with the program.
//
// What belongs here: the schedule, the faults, what supervises the processes, the load, and the summary. What does not:
// judging records (verify), and anything that the product needs. The command around it is in chaosrun.
//
//	schedule.go  what happens, in which order: a pure function of the configuration
//	run.go       one run from the first process to the summary
//	faults.go    how each fault is done
//	instance.go  an instance and its supervisor
//	proxy.go     the network between the instances and Kafka
//	cluster.go   Kafka, topics and configuration files
//	writer.go    the load
//	watch.go     whether slim records come
//	judge.go     what the run has shown
package chaos
