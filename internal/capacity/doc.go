// Package capacity says how many instances, partitions, disks and cables a load of the bridge wants, what gives way first,
// and what happens when one event sells more than one partition takes.
//
// It is a model of what was measured: coefficients, such as the processor time of an order record, come from runs of
// three sizes (bench/planrun), of which the largest is predicted from the two smaller ones, and are embedded with the
// machine, the versions and the deviations that they rest on (measured.json).
//
//	measured.go  what was measured, and the file that holds it
//	fit.go       coefficients from two sizes, and the prediction of a third
//	plan.go      load and deployment to a plan, each line with its formula
//	onsale.go    one event against one partition, second by second
//	plot.go      the picture of that
//
// What belongs here: arithmetic, and what is known not to be in it. What does not: measuring, clocks, files, flags, Kafka;
// a test keeps the imports so.
package capacity
