//go:build !linux

package process

import "syscall"

// Without a parent-death signal, the guard alone ends the processes of a killed supervisor.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
