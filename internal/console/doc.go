// Package console is what an instance shows and takes over HTTP: the page, its data, actions, and who may do what.
//
// What belongs here: requests and answers, rights, the page itself. What does not: the decisions behind them (processors),
// and listening (cmd).
package console
