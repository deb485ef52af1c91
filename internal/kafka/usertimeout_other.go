//go:build !linux

package kafka

import "syscall"

// limitUnacknowledged does nothing where the kernel has no such limit: see its other version.
func limitUnacknowledged(_, _ string, _ syscall.RawConn) error { return nil }
