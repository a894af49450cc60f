package main

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent asks for SIGTERM when the thread that started this process
// ends. A parent that is already gone is noticed by the closed standard input.
func dieWithParent() error {
	return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0, 0, 0)
}
