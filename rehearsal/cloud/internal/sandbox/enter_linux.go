package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// networkFile is the descriptor of the pod's network namespace.
const networkFile = 3

// Enter becomes the container's program, or returns why not. Arguments are those after Flag.
func Enter(arguments []string) error {
	// Namespaces and the parent-death signal belong to a thread: this one goes on as the program.
	runtime.LockOSThread()
	if len(arguments) < 2 {
		return fmt.Errorf("want a sandbox and a command, not %d arguments", len(arguments))
	}
	var spec Spec
	if err := json.Unmarshal([]byte(arguments[0]), &spec); err != nil {
		return err
	}
	if spec.Network {
		if err := unix.Setns(networkFile, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering the pod's network: %w", err)
		}
		unix.CloseOnExec(networkFile)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
		return fmt.Errorf("making a mount namespace: %w", err)
	}
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := enterRoot(spec); err != nil {
		return err
	}
	if err := unix.Chdir(spec.Dir); err != nil {
		return fmt.Errorf("working directory %s: %w", spec.Dir, err)
	}
	argv := arguments[1:]
	if err := endWithParent(); err != nil {
		return err
	}
	return fmt.Errorf("exec %s: %w", argv[0], unix.Exec(argv[0], argv, os.Environ()))
}

// endWithParent asks for the parent-death signal again: the first one was meant for the process's first thread.
func endWithParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("asking for the parent-death signal: %w", err)
	}
	return nil
}
