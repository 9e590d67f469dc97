// Package controlplane runs etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok as child processes.
package controlplane

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"

	"agentweave-mesh/rehearsal/cloud/internal/config"
	"agentweave-mesh/rehearsal/cloud/internal/process"
)

// WaitLimit bounds every wait of a start.
const WaitLimit = 60 * time.Second

const (
	stopGrace      = 5 * time.Second
	longestBackOff = 30 * time.Second
)

// Failure is a start that did not succeed: which program, why, and where its log is.
type Failure struct {
	What, Log string
	Err       error
}

func (f *Failure) Error() string { return f.What + ": " + f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// ControlPlane is a running control plane.
type ControlPlane struct {
	PKI    PKI
	Client *kubernetes.Clientset

	config *config.Config
	report Reporter
	died   chan *Failure

	mu sync.Mutex
	// running in the order of start.
	running []*child
	up      bool
}

type child struct {
	component
	cancel context.CancelFunc
	done   chan struct{}
}

// Reporter is told what a start waits for and which program was started again.
type Reporter interface {
	Waiting(what, address string)
	Restarted(what string, exitCode int, log string)
}

// Start brings the control plane up; stages is the path of kwok's configuration. What was started is stopped by Stop,
// also after an error.
func Start(ctx context.Context, c *config.Config, stages string, report Reporter) (*ControlPlane, error) {
	cp := &ControlPlane{config: c, report: report, died: make(chan *Failure, 8)}
	var err error
	if cp.PKI, err = preparePKI(c); err != nil {
		return cp, err
	}
	for _, user := range []string{"kube-controller-manager", "kube-scheduler", "kwok"} {
		if err := writeKubeconfig(c, cp.PKI, user, kubeconfigOf(cp.PKI, user)); err != nil {
			return cp, err
		}
	}
	if err := writeKubeconfig(c, cp.PKI, "admin", Kubeconfig(c)); err != nil {
		return cp, err
	}
	if err := writeEgress(c); err != nil {
		return cp, err
	}
	if cp.Client, err = kubernetes.NewForConfig(cp.PKI.RestConfig(c)); err != nil {
		return cp, err
	}
	if err := cp.launch(ctx, etcd(c, cp.PKI), nil); err != nil {
		return cp, err
	}
	readyz := func(ctx context.Context) error {
		return cp.Client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}
	if err := cp.launch(ctx, apiServer(c, cp.PKI), readyz); err != nil {
		return cp, err
	}
	for _, one := range []component{controllerManager(c, cp.PKI), scheduler(c, cp.PKI), kwok(c, cp.PKI, stages)} {
		if err := cp.start(ctx, one); err != nil {
			return cp, err
		}
	}
	return cp, nil
}

// Settled ends the start: from now on a program that dies is started again instead of failing the cloud.
func (cp *ControlPlane) Settled() {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	cp.up = true
}

func (cp *ControlPlane) launch(ctx context.Context, one component, ready func(context.Context) error) error {
	if err := cp.start(ctx, one); err != nil {
		return err
	}
	address := at(cp.config.Address, one.ports[0])
	return cp.Wait(ctx, one.name, address, func(ctx context.Context) error {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		connection.Close()
		if ready == nil {
			return nil
		}
		return ready(ctx)
	})
}

// Wait polls until check succeeds; it fails after WaitLimit, or at once when a program of the control plane dies.
func (cp *ControlPlane) Wait(ctx context.Context, what, address string, check func(context.Context) error) error {
	cp.report.Waiting(what, address)
	ctx, cancel := context.WithTimeout(ctx, WaitLimit)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case failure := <-cp.died:
			return failure
		case <-ctx.Done():
			return &Failure{what, cp.log(what), fmt.Errorf("not ready within %s: %w", WaitLimit, err)}
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (cp *ControlPlane) log(name string) string {
	return filepath.Join(cp.config.Dir, "logs", name+".log")
}

func (cp *ControlPlane) start(ctx context.Context, one component) error {
	for _, port := range one.ports {
		listener, err := net.Listen("tcp", at(cp.config.Address, port))
		if err != nil {
			return &Failure{one.name, "", fmt.Errorf("its port is taken: %w", err)}
		}
		listener.Close()
	}
	if _, err := os.Stat(one.binary); err != nil {
		return &Failure{one.name, "", err}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	started := &child{one, cancel, make(chan struct{})}
	cp.running = append(cp.running, started)
	go cp.supervise(ctx, started)
	return nil
}

func (cp *ControlPlane) supervise(ctx context.Context, one *child) {
	defer close(one.done)
	for backOff := time.Second; ; backOff = min(2*backOff, longestBackOff) {
		began := time.Now()
		exitCode, err := cp.runOnce(ctx, one.component)
		if ctx.Err() != nil {
			return
		}
		cp.mu.Lock()
		up := cp.up
		cp.mu.Unlock()
		if !up {
			lines := strings.TrimSpace(process.Tail(cp.log(one.name), 2000))
			if err == nil {
				err = fmt.Errorf("ended with exit code %d; its last words: %s", exitCode, lines)
			}
			cp.died <- &Failure{one.name, cp.log(one.name), err}
			return
		}
		cp.report.Restarted(one.name, exitCode, cp.log(one.name))
		if time.Since(began) > longestBackOff {
			backOff = time.Second
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(backOff):
		}
	}
}

func (cp *ControlPlane) runOnce(ctx context.Context, one component) (int, error) {
	log, err := os.OpenFile(cp.log(one.name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.Command(one.binary, one.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = cp.config.Dir, log, log
	started, err := process.Start(cmd, filepath.Join(cp.config.Dir, "run", one.name+".pid"))
	if err != nil {
		return 0, err
	}
	select {
	case <-ctx.Done():
		started.Stop(stopGrace)
	case <-started.Done():
	}
	return started.ExitCode(), nil
}

// Stop stops every program: the controllers and kwok at once, then the API server, then etcd.
func (cp *ControlPlane) Stop() {
	for _, from := range []int{2, 1, 0} {
		for i := from; i < len(cp.running); i++ {
			cp.running[i].cancel()
		}
		for i := from; i < len(cp.running); i++ {
			<-cp.running[i].done
		}
	}
}
