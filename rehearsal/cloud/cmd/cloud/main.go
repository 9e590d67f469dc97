// Command cloud runs one cloud of the rehearsal: a Kubernetes control plane, simulated nodes, pods of known images as
// local processes, Service addresses and volumes, all on one loopback address or in a network of its own.
//
//	cloud -config <cloud.json>                   runs a cloud
//	cloud -world -dir <directory>                runs the world in which clouds have networks of their own
//	cloud -link <cloud's directory> -state up    (or down) mends or cuts a cloud's link to the others; inside the world
//
// A cloud and a world print one JSON object a line (see events.go). Its standard input is a leash: when that ends before a line
// `detach` was read, or on SIGTERM, SIGINT or SIGHUP, everything is stopped. A second signal makes no difference.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"k8s.io/klog/v2"

	"agentweave-mesh/rehearsal/cloud/internal/config"
	"agentweave-mesh/rehearsal/cloud/internal/controlplane"
	"agentweave-mesh/rehearsal/cloud/internal/process"
	"agentweave-mesh/rehearsal/cloud/internal/sandbox"
)

func init() {
	if inContainer() {
		runtime.LockOSThread() // the process's first thread, which is to go on as the container's
	}
}

// inContainer tells that this process is to become a container's.
func inContainer() bool { return len(os.Args) > 1 && os.Args[1] == sandbox.Flag }

func main() {
	if inContainer() {
		fmt.Fprintln(os.Stderr, "container:", sandbox.Enter(os.Args[2:]))
		os.Exit(sandbox.ExitNotStarted)
	}
	guard := flag.Bool("guard", false, "for this program's own use")
	file := flag.String("config", "", "path of the cloud's configuration (cloud.json)")
	world := flag.Bool("world", false, "run the world of the clouds' networks, in a fresh network namespace")
	dir := flag.String("dir", "", "the world's directory")
	link := flag.String("link", "", "directory of the cloud whose link to the others is to be set")
	state := flag.String("state", "", "up or down")
	flag.Parse()
	var err error
	switch {
	case *guard:
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		process.RunGuard(os.Stdin)
	case *link != "":
		if err := setLink(*link, *state); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case *world:
		err = runWorld(*dir)
	default:
		err = run(*file)
	}
	if err != nil {
		emitFailure(err)
		os.Exit(1)
	}
}

func run(file string) error {
	began := time.Now()
	c, err := config.Load(file)
	if err != nil {
		return &controlplane.Failure{What: "configuration", Err: err}
	}
	// Whoever reads the events may go away after `detach`.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := leash()
	defer stop()
	if err := takeOver(c.Dir); err != nil {
		return err
	}
	defer os.Remove(pidFile(c.Dir))
	logFile, err := os.OpenFile(filepath.Join(c.Dir, "logs", "cloud.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	if err := logTo(logFile); err != nil {
		return err
	}
	if err := process.StartGuard("-guard"); err != nil {
		return err
	}
	cloud, err := start(ctx, c)
	defer cloud.stop()
	if err != nil {
		if ctx.Err() != nil {
			return nil // it was told to stop
		}
		return err
	}
	emit(event{Event: "ready", Kubeconfig: controlplane.Kubeconfig(c), Seconds: time.Since(began).Round(10 * time.Millisecond).Seconds()})
	<-ctx.Done()
	emit(event{Event: "stopping"})
	return nil
}

// logTo sends what the libraries log to a file, and nothing of it to standard error.
func logTo(file *os.File) error {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	klog.SetOutput(file)
	log.SetOutput(file)
	return errors.Join(flags.Set("logtostderr", "false"), flags.Set("one_output", "true"), flags.Set("stderrthreshold", "FATAL"))
}

// leash returns a context that ends when the cloud has to stop.
func leash() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	detached := make(chan struct{})
	go func() {
		for s := range signals {
			select {
			case <-detached:
				if s == syscall.SIGHUP {
					continue // the terminal is gone; that is what detaching is for
				}
			default:
			}
			cancel()
		}
	}()
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			if lines.Text() == "detach" {
				close(detached)
				emit(event{Event: "detached"})
				return
			}
		}
		cancel()
	}()
	return ctx, cancel
}

func pidFile(dir string) string { return filepath.Join(dir, "cloud.pid") }

// takeOver makes the state directory this process's own and its working directory, and ends what a killed predecessor has left.
func takeOver(dir string) error {
	if pid := process.Running(pidFile(dir)); pid != 0 && pid != os.Getpid() {
		return &controlplane.Failure{What: "cloud", Err: fmt.Errorf("it already runs, as process %d", pid)}
	}
	for _, directory := range []string{dir, filepath.Join(dir, "logs"), filepath.Join(dir, "run")} {
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return err
		}
	}
	process.KillLeft(filepath.Join(dir, "run", "*.pid"), filepath.Join(dir, "pods", "*", "*.pid"))
	return errors.Join(os.Chdir(dir), os.Chmod(dir, 0o700), os.RemoveAll(filepath.Join(dir, "pods")), process.WriteIdentity(pidFile(dir), os.Getpid()))
}
