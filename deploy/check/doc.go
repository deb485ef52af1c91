// Package check has the checks of everything in deploy/: manifests are built and decoded strictly, configurations are
// loaded as the bridge loads them, and what has to fit together across files does.
//
// What belongs here: tests, and the program that writes the dashboards (dashboard). What does not: anything that the bridge
// needs to run. It is a module of its own, so that the types of Kubernetes and the like are no part of the product.
package check
