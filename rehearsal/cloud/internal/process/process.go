// Package process starts local processes that never outlive the supervisor, however it ends.
package process

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a started process and all of its descendants in one process group.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

type request struct {
	cmd    *exec.Cmd
	result chan error
}

var requests = make(chan request)

func init() {
	go func() {
		// The kernel sends the parent-death signal when the parent *thread* ends, so that one thread, which lives as
		// long as the supervisor, starts every process.
		runtime.LockOSThread()
		for r := range requests {
			r.result <- r.cmd.Start()
		}
	}()
}

// Start starts a command in a process group of its own and writes its identity to pidFile (none when empty).
func Start(cmd *exec.Cmd, pidFile string) (*Process, error) {
	cmd.SysProcAttr = attributes()
	r := request{cmd, make(chan error, 1)}
	requests <- r
	if err := <-r.result; err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	guard("+", cmd.Process.Pid)
	if pidFile != "" {
		if err := WriteIdentity(pidFile, cmd.Process.Pid); err != nil {
			p.signal(syscall.SIGKILL)
			go p.wait("")
			return nil, err
		}
	}
	go p.wait(pidFile)
	return p, nil
}

func (p *Process) wait(pidFile string) {
	_ = p.cmd.Wait()
	// As in a container, what the first process has started ends with it.
	p.signal(syscall.SIGKILL)
	guard("-", p.cmd.Process.Pid)
	if pidFile != "" {
		_ = os.Remove(pidFile)
	}
	close(p.done)
}

func (p *Process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// Done is closed when the process has ended and its exit code is known.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode of an ended process; 128 plus the signal's number when a signal ended it, as a container runtime has it.
func (p *Process) ExitCode() int {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Stop asks the process to end with SIGTERM, kills it after the grace period, and returns when it has ended.
func (p *Process) Stop(grace time.Duration) {
	select {
	case <-p.done:
		return
	default:
	}
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// Tail returns the last bytes of a file, for error messages; empty when it cannot be read.
func Tail(file string, size int64) string {
	reader, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer reader.Close()
	if _, err := reader.Seek(-size, io.SeekEnd); err != nil { // shorter than size
		_, _ = reader.Seek(0, io.SeekStart)
	}
	text, _ := io.ReadAll(reader)
	return string(text)
}
