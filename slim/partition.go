package slim

import "encoding/binary"

// Partition returns the partition that a record with this key belongs to when
// the topic has so many partitions, as the partitioner of Kafka's own Java
// producer decides it: records of one key share a partition whoever writes
// them. For partitions <= 0 it returns -1, which is no partition anywhere.
func Partition(key []byte, partitions int32) int32 {
	if partitions <= 0 {
		return -1
	}
	// The mask, not the absolute value: it is what Kafka calls "to positive",
	// and the smallest int32 has no absolute value.
	return (Murmur2(key) & 0x7fffffff) % partitions
}

// Murmur2 returns Kafka's 32-bit hash of a key: MurmurHash2 with Kafka's seed,
// as the signed integer that the Java client computes.
func Murmur2(key []byte) int32 {
	const (
		seed  uint32 = 0x9747b28c
		mix   uint32 = 0x5bd1e995
		shift        = 24
	)
	h := seed ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := binary.LittleEndian.Uint32(key) * mix
		k ^= k >> shift
		h = h*mix ^ k*mix
	}
	switch len(key) {
	case 3:
		h ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(key[0])) * mix
	}
	h ^= h >> 13
	h *= mix
	h ^= h >> 15
	return int32(h)
}
