// Package sandbox gives a container's process what it has in a cluster: its pod's network, a host name, and a root
// directory in which the pod's volumes and the image's programs are at the container's own paths. The rest of the root is this
// machine's.
//
// It does so in a process that is to become the container's: this program, started as `cloud -container <spec>
// <argv…>`, moves into the namespaces and then executes the container's program in its place, so that the process stays the same one
// to whoever has started it.
package sandbox

import (
	"encoding/json"
	"os/exec"
)

// Flag of this program under which Enter is to be called, as the first argument.
const Flag = "-container"

// ExitNotStarted is the exit code of a container whose program could not be started, as runc has it.
const ExitNotStarted = 128

// Spec is a sandbox.
type Spec struct {
	// Hostname is what the processes see as the machine's name.
	Hostname string `json:"hostname"`
	// Dir is the working directory, an absolute path in the sandbox.
	Dir string `json:"dir"`
	// Staging is an empty directory of this machine (absolute path) on which the root is built, unseen by other processes.
	Staging string `json:"staging"`
	// Network tells that file descriptor 3 is the network namespace to enter; else it stays this process's.
	Network bool `json:"network"`
	// Binds are shown in the root, outer ones before those inside them.
	Binds []Bind `json:"binds"`
}

// Bind shows a file or directory of this machine in the sandbox.
type Bind struct {
	// Target is an absolute path in the sandbox, Source one of this machine.
	Target string `json:"target"`
	Source string `json:"source"`
	// ReadOnly keeps the sandbox from writing.
	ReadOnly bool `json:"readOnly,omitempty"`
}

// Command is the command that runs argv in a sandbox; argv[0] is an absolute path there. Program is this program's path.
func Command(program string, spec Spec, argv []string) (*exec.Cmd, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	return exec.Command(program, append([]string{Flag, string(text)}, argv...)...), nil
}
