package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
)

// The guard is a second process of this same program. It learns each process group that is started ("+pid") or has
// ended ("-pid") and kills those that are left when the supervisor is gone: the parent-death signal reaches children
// only, not what they have started.
var (
	guardLock  sync.Mutex
	guardInput io.Writer = io.Discard
)

// StartGuard starts this program with the given arguments as the guard.
func StartGuard(arguments ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, arguments...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	guardInput = input
	return nil
}

// RunGuard is the guard's whole life: it returns when the supervisor is gone and nothing of it is left.
func RunGuard(input io.Reader) {
	groups := map[int]bool{}
	for lines := bufio.NewScanner(input); lines.Scan(); {
		line := lines.Text()
		if group, err := strconv.Atoi(line[1:]); err == nil && group > 1 {
			if line[0] == '+' {
				groups[group] = true
			} else {
				delete(groups, group)
			}
		}
	}
	for group := range groups {
		_ = syscall.Kill(-group, syscall.SIGKILL)
	}
}

func guard(change string, pid int) {
	guardLock.Lock()
	defer guardLock.Unlock()
	fmt.Fprintf(guardInput, "%s%d\n", change, pid)
}
