package network

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// ownNamespace is the network namespace of the calling thread.
const ownNamespace = "/proc/thread-self/ns/net"

// aside runs something on a thread that may change its network namespace and gets the former one back afterwards.
func aside(run func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		origin, err := os.Open(ownNamespace)
		if err != nil {
			runtime.UnlockOSThread()
			result <- err
			return
		}
		defer origin.Close()
		err = run()
		if back := unix.Setns(int(origin.Fd()), unix.CLONE_NEWNET); back == nil {
			runtime.UnlockOSThread()
		} else if err == nil { // still locked, the thread ends with this goroutine
			err = fmt.Errorf("going back to a network namespace: %w", back)
		}
		result <- err
	}()
	return <-result
}

// within runs something in a network namespace.
func within(namespace *os.File, run func() error) error {
	return aside(func() error {
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering a network namespace: %w", err)
		}
		return run()
	})
}

// newNamespace makes a network namespace, which lives as long as the file is open or a process is in it.
func newNamespace() (namespace *os.File, err error) {
	err = aside(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("making a network namespace: %w", err)
		}
		namespace, err = os.Open(ownNamespace)
		return err
	})
	return namespace, err
}

// routing makes the calling thread's network namespace forward packets, whichever way they come, and keeps it from
// telling their senders of shorter ways. Links that are made later inherit it.
func routing() error {
	for _, setting := range []struct{ name, value string }{
		{"ip_forward", "1"},
		{"conf/all/rp_filter", "0"}, {"conf/default/rp_filter", "0"},
		{"conf/all/send_redirects", "0"}, {"conf/default/send_redirects", "0"},
		{"conf/all/accept_redirects", "0"}, {"conf/default/accept_redirects", "0"},
	} {
		file := filepath.Join("/proc/sys/net/ipv4", setting.name)
		if err := os.WriteFile(file, []byte(setting.value), 0); err != nil {
			return fmt.Errorf("setting net.ipv4.%s: %w", setting.name, err)
		}
	}
	return nil
}
