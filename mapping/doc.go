// Package mapping decides what a legacy record becomes.
//
// It holds the rules of the mapping contract from legacy fields to slim ones,
// and the decisions of intake, organizers and gate as pure functions: the same
// state and input give the same state and effects. There is no clock, no I/O,
// no logger and no Goka here; the time, the identity of the input and what is
// known about acknowledgements come in through Env. A test keeps the imports so.
//
// Wire formats do not belong here: reading is package legacyproto, writing is
// package slim. Nor does anything that talks to a broker: that is package
// processors.
//
// # How a step decides
//
// Every step of the gate is level-triggered. Whatever the input was, a step
//
//  1. takes the input's facts when they are newer than the state's,
//  2. drops every claim that the input itself had made before (it is being
//     processed again, so what it sent the first time proves nothing),
//  3. works out what the slim topics should hold for the entity now,
//  4. and sends that unless a claim with the same digest is proven.
//
// A claim is "this was sent, by that record" and is proven by the
// acknowledgement of that record alone (protocol rules R3 to R5). So a replay,
// a lost acknowledgement, a recheck or a sweep all end in the same place, and
// none of them needs a case of its own.
package mapping
