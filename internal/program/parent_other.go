//go:build !linux

package program

import "syscall"

// withParent: there is no death signal here; the end of standard input is what the child watches.
func withParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
