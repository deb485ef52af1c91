// Package chaos runs a whole deployment of the bridge on a real Apache Kafka of its own, breaks it on purpose while
// records flow, and has an independent checker (package verify, through the command) judge what came out.
//
//	writer ──────────────▶ Kafka ◀── proxy ◀── instance 1, 2, … (processes of the real binary)
//	 (season, hostile)   (one, three,   ▲            ▲
//	                     or two of them)│         kill -9, SIGSTOP, SIGTERM, one more,
//	                         ▲       cut, delay,  state deleted, disk full
//	                    kill -9,     stall, half-open,
//	                    leaders move limited
//
// Kinds of faults, all drawn from the seed with their times:
//
//	kill     kill -9 of an instance or of all, at times with acknowledgements held up before, so that much is on its way
//	wipe     the same, and its state folder is deleted
//	pause    SIGSTOP for longer than the session, then SIGCONT: it has to notice
//	rolling  SIGTERM to one after the other
//	scale    one more instance comes, and goes
//	broker   kill -9 of a broker, started again on its data; of three, the others have to do meanwhile
//	cut      all connections are closed
//	delay    what comes from Kafka is late
//	stall    nothing passes between one instance and Kafka for longer than its session, and arrives after all
//	half     connections accept everything, and what goes one way is swallowed; at last they are reset
//	limit    connections pass 8 to 128 KiB/s
//	full     the file system of an instance's state is full, and has space again (needs a tmpfs)
//	leader   one broker is made leader and coordinator of everything; half the time it is killed then (needs three brokers)
//	away     the cluster of the slim topics is killed for minutes; half the time an instance is, too (needs a target of its own)
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
//	gauge.go     memory of the instances
//	disk_*.go    a file system for one instance's state
//	judge.go     what the run has shown
package chaos
