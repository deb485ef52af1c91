package store

import (
	"encoding/binary"
	"errors"
)

// First byte of every key: the space it belongs to (see the package comment).
const (
	spaceData     = 'd'
	spaceWaiting  = 'i'
	spaceDeadline = 't'
	spaceMeta     = 'm'
)

var (
	metaFormat = []byte("mformat")
	metaIndex  = []byte("mindex")
	metaCount  = []byte("mcount")
	metaOffset = []byte("moffset")
)

const (
	timeBytes     = 8
	waitingBytes  = 1 + 2*timeBytes // reason, since, deadline
	deadlineBytes = 1 + timeBytes   // reason, since
)

var errBadEntry = errors.New("an index entry has a wrong length")

// appendTime appends t so that byte order is numeric order, negatives included.
func appendTime(b []byte, t int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t)^(1<<63))
}

func readTime(b []byte) int64 {
	return int64(binary.BigEndian.Uint64(b) ^ (1 << 63))
}

func appendKey(b []byte, space byte, key string) []byte {
	return append(append(b, space), key...)
}

func appendDeadlineKey(b []byte, deadline int64, key string) []byte {
	return append(appendTime(append(b, spaceDeadline), deadline), key...)
}

func appendWaiting(b []byte, w Waiting) []byte {
	return appendTime(appendTime(append(b, w.Reason), w.Since), w.Deadline)
}

func decodeWaiting(b []byte) (Waiting, error) {
	if len(b) != waitingBytes {
		return Waiting{}, errBadEntry
	}
	return Waiting{Reason: b[0], Since: readTime(b[1:]), Deadline: readTime(b[1+timeBytes:])}, nil
}

// decodeDue reads an entry of the deadline space, whose key comes without its space byte.
func decodeDue(key, value []byte) (string, Waiting, error) {
	if len(key) < timeBytes || len(value) != deadlineBytes {
		return "", Waiting{}, errBadEntry
	}
	w := Waiting{Reason: value[0], Since: readTime(value[1:]), Deadline: readTime(key)}
	return string(key[timeBytes:]), w, nil
}

// spaceBounds is the half-open range of all keys in a space.
func spaceBounds(space byte) (lower, upper []byte) {
	return []byte{space}, []byte{space + 1}
}

// keyBounds is the half-open range of the keys of a space in [start, limit); an
// empty start or limit leaves that side unbounded.
func keyBounds(space byte, start, limit []byte) (lower, upper []byte) {
	lower, upper = spaceBounds(space)
	lower = append(lower, start...)
	if len(limit) > 0 {
		upper = append([]byte{space}, limit...)
	}
	return lower, upper
}

// pageBounds is the half-open range of the keys of a space that start with prefix
// and are strictly greater than after; an empty after leaves the lower side to the prefix.
func pageBounds(space byte, prefix, after string) (lower, upper []byte) {
	lower = appendKey(nil, space, prefix)
	upper = successor(lower)
	if after != "" && after >= prefix {
		lower = append(appendKey(nil, space, after), 0)
	}
	return lower, upper
}

// successor is the smallest key greater than every key that starts with prefix.
// The space byte is never 0xff, so there is one.
func successor(prefix []byte) []byte {
	end := len(prefix)
	for prefix[end-1] == 0xff {
		end--
	}
	upper := append([]byte(nil), prefix[:end]...)
	upper[end-1]++
	return upper
}
