//go:build !linux

package localkafka

import "syscall"

func endWithParent(*syscall.SysProcAttr) {}
