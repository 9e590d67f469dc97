package process

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Identity tells a process from a later one with the same pid. It is what pid files contain, as JSON.
type Identity struct {
	Pid int `json:"pid"`
	// Started is the process's start time: field 22 of /proc/<pid>/stat (clock ticks since boot) on Linux, else the
	// text of `ps -o lstart=`.
	Started string `json:"started"`
}

// WriteIdentity writes the pid file of a running process.
func WriteIdentity(file string, pid int) error {
	text, err := json.Marshal(Identity{pid, startTime(pid)})
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}

// Running returns the pid of the process that a pid file is about, or 0 when that process is gone.
func Running(file string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	var identity Identity
	if json.Unmarshal(text, &identity) != nil || identity.Pid <= 1 || identity.Started == "" {
		return 0
	}
	if startTime(identity.Pid) != identity.Started {
		return 0
	}
	return identity.Pid
}

// KillLeft kills the process groups of a former life whose pid files match the patterns, and removes the files.
func KillLeft(patterns ...string) {
	for _, pattern := range patterns {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			if pid := Running(file); pid != 0 {
				_ = syscall.Kill(-pid, syscall.SIGKILL)
			}
			_ = os.Remove(file)
		}
	}
}

func startTime(pid int) string {
	if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil {
		// The second field is the program's name in parentheses, which may contain blanks.
		_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
		if fields := strings.Fields(rest); len(fields) > 19 && fields[0] != "Z" {
			return fields[19]
		}
		return "" // it has ended, but its parent has not yet asked how
	}
	text, err := exec.Command("ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
