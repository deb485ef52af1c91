//go:build !linux

package chaos

import "errors"

// disk is for Linux.
type disk struct{}

// CanMount tells whether this user may have a file system of its own for an instance's state.
func CanMount() bool { return false }

func mountDisk(string) (*disk, error) { return nil, errors.New("a tmpfs takes Linux") }

func (*disk) fill() error    { return nil }
func (*disk) free() error    { return nil }
func (*disk) unmount() error { return nil }

func unmount(string) error { return nil }
