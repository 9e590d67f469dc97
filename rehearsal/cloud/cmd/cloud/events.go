package main

import (
	"encoding/json"
	"errors"
	"os"
	"sync"

	"agentweave-mesh/rehearsal/cloud/internal/controlplane"
)

// event is one line of output.
type event struct {
	// Event is one of
	//   waiting   for (program or thing waited for), address
	//   ready     kubeconfig (path), seconds since the start
	//   failed    what, error (with the program's last words), log (path); the process then exits with 1
	//   restarted what (a program of the control plane that died), exitCode, log
	//   warning   what, error: something will be tried again
	//   detached  the end of standard input no longer stops the cloud
	//   stopping  everything is being stopped
	Event      string  `json:"event"`
	For        string  `json:"for,omitempty"`
	Address    string  `json:"address,omitempty"`
	Kubeconfig string  `json:"kubeconfig,omitempty"`
	Seconds    float64 `json:"seconds,omitempty"`
	What       string  `json:"what,omitempty"`
	Error      string  `json:"error,omitempty"`
	ExitCode   int     `json:"exitCode,omitempty"`
	Log        string  `json:"log,omitempty"`
}

var output sync.Mutex

func emit(e event) {
	output.Lock()
	defer output.Unlock()
	// After `detach` nobody may read; then there is nobody to tell either.
	_ = json.NewEncoder(os.Stdout).Encode(e)
}

func emitFailure(err error) {
	e := event{Event: "failed", What: "cloud", Error: err.Error()}
	var failure *controlplane.Failure
	if errors.As(err, &failure) {
		e.What, e.Error, e.Log = failure.What, failure.Err.Error(), failure.Log
	}
	emit(e)
}

type reporter struct{}

func (reporter) Waiting(what, address string) {
	emit(event{Event: "waiting", For: what, Address: address})
}

func (reporter) Restarted(what string, exitCode int, log string) {
	emit(event{Event: "restarted", What: what, ExitCode: exitCode, Log: log})
}
