// Package statepb has what travels on the bridge's internal topics and rests in its group tables: generated from
// state.proto, which says what each message is for. The methods whose names end with VT use no reflection and do not check
// that texts are UTF-8 (decision 17).
package statepb
