package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"agentweave-mesh/rehearsal/cloud/internal/config"
	"agentweave-mesh/rehearsal/cloud/internal/process"
	"agentweave-mesh/rehearsal/cloud/internal/sandbox"
)

const (
	firstBackOff   = time.Second
	longestBackOff = 30 * time.Second
)

// container is one container of a pod. Its status is guarded by the pod's lock.
type container struct {
	pod  *pod
	spec v1.Container
	// image is nil for a container that is simulated beside real ones.
	image  *config.Image
	status v1.ContainerStatus
	// binds are what the container's own root shows, where it has one.
	binds []sandbox.Bind
}

func newContainer(p *pod, spec v1.Container, before []v1.ContainerStatus) *container {
	c := &container{pod: p, spec: spec, image: p.kubelet.config.ImageOf(spec.Image)}
	c.status = v1.ContainerStatus{Name: spec.Name, Image: spec.Image, ImageID: spec.Image}
	for _, status := range before {
		// The pod has run in a former life of the supervisor.
		if status.Name == spec.Name && status.ContainerID != "" {
			c.status.RestartCount = status.RestartCount + 1
			c.status.State = status.State // remembered as the last one if it had ended
		}
	}
	c.wait("ContainerCreating", "")
	return c
}

func (c *container) wait(reason, message string) {
	c.set(v1.ContainerState{Waiting: &v1.ContainerStateWaiting{Reason: reason, Message: message}})
}

// set changes the container's state; ended states are remembered as the last one.
func (c *container) set(state v1.ContainerState) {
	c.pod.change(func() {
		if c.status.State.Terminated != nil {
			c.status.LastTerminationState = c.status.State
		}
		c.status.State = state
		started := false
		c.status.Started, c.status.Ready = &started, false
	})
}

// run keeps the container running until the context ends or its restart policy says that it is done.
func (c *container) run(ctx context.Context, policy v1.RestartPolicy) {
	backOff := time.Duration(0)
	for {
		began := time.Now()
		exitCode := c.once(ctx)
		if ctx.Err() != nil || policy == v1.RestartPolicyNever || (policy == v1.RestartPolicyOnFailure && exitCode == 0) {
			return
		}
		if time.Since(began) > 2*longestBackOff {
			backOff = 0
		}
		if backOff > 0 {
			c.wait("CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container", backOff))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(backOff):
		}
		backOff = max(firstBackOff, min(2*backOff, longestBackOff))
		c.pod.change(func() { c.status.RestartCount++ })
	}
}

// once starts the container, watches it with its probes, and returns its exit code.
func (c *container) once(ctx context.Context) int {
	started := metav1.Now()
	id := fmt.Sprintf("rehearsal://%s/%s/%d", c.pod.uid, c.spec.Name, started.UnixNano())
	c.pod.change(func() { c.status.ContainerID = id })
	if c.image == nil {
		c.set(v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: started}})
		c.started(true)
		c.ready(true)
		<-ctx.Done()
		return 0
	}
	exitCode, reason, message := sandbox.ExitNotStarted, "StartError", ""
	running, err := c.start(ctx)
	if err != nil {
		message = err.Error()
	} else {
		c.set(v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: started}})
		probing, cancel := context.WithCancel(ctx)
		go c.probe(probing, running)
		select {
		case <-running.Done():
		case <-ctx.Done():
			c.stop(running)
		}
		cancel()
		exitCode, reason = running.ExitCode(), "Completed"
		if exitCode != 0 {
			reason = "Error"
		}
	}
	c.set(v1.ContainerState{Terminated: &v1.ContainerStateTerminated{
		ExitCode: int32(exitCode), Reason: reason, Message: message, StartedAt: started, FinishedAt: metav1.Now(), ContainerID: id,
	}})
	return exitCode
}

// stop ends the container's process within the pod's grace period, after the pause that its preStop hook asks for: time
// for its callers to learn that it leaves.
func (c *container) stop(running *process.Process) {
	grace := c.pod.grace()
	if hooks := c.spec.Lifecycle; hooks != nil && hooks.PreStop != nil && hooks.PreStop.Sleep != nil && !c.pod.kubelet.stopping() {
		pause := min(grace, time.Duration(hooks.PreStop.Sleep.Seconds)*time.Second)
		grace -= pause
		select {
		case <-running.Done():
		case <-time.After(pause):
		}
	}
	running.Stop(grace)
}

func (c *container) start(ctx context.Context) (*process.Process, error) {
	command := append([]string{}, c.spec.Command...)
	if len(command) == 0 {
		command = append(command, c.image.Entrypoint...)
	}
	cmd, err := c.command(ctx, append(command, c.spec.Args...))
	if err != nil {
		return nil, err
	}
	if err := c.clean(); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	return process.Start(cmd, filepath.Join(c.pod.root, c.spec.Name+".pid"))
}

// command prepares a command of this container: its executable, arguments, environment and working directory.
func (c *container) command(ctx context.Context, argv []string) (*exec.Cmd, error) {
	if c.image == nil {
		return nil, errors.New("this container is simulated; no process runs in it")
	}
	if len(argv) == 0 {
		return nil, fmt.Errorf("no command: the rehearsal does not know the entrypoint of image %s", c.spec.Image)
	}
	env, err := c.pod.environment(ctx, &c.spec)
	if err != nil {
		return nil, err
	}
	path, program := c.image.Program(argv[0])
	if program == "" {
		return nil, fmt.Errorf("exec: %q: no such file in image %s of the rehearsal", argv[0], c.spec.Image)
	}
	var arguments []string
	for _, argument := range c.pod.translation.texts(argv[1:]) {
		arguments = append(arguments, expand(argument, env))
	}
	cmd := exec.Command(program, arguments...)
	if c.pod.isolated {
		if cmd, err = c.sandboxed(append([]string{path}, arguments...)); err != nil {
			return nil, err
		}
	}
	cmd.Dir = c.pod.root
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd, nil
}

func (c *container) logFile() string {
	return filepath.Join(c.pod.kubelet.logs(), c.pod.key()+"_"+c.spec.Name+".log")
}

func (c *container) started(yes bool) {
	c.pod.change(func() { c.status.Started = &yes })
}

func (c *container) ready(yes bool) {
	c.pod.change(func() { c.status.Ready = yes && c.status.State.Running != nil })
}
