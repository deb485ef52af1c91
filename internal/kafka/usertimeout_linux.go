package kafka

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// limitUnacknowledged has the kernel give a connection up whose other side has acknowledged nothing for userTimeout.
// Otherwise what was written before a break of the network could arrive many minutes later, when the partition has
// long had another owner (hole H8).
func limitUnacknowledged(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
