// Command tailnet serves the rehearsal's tailnet: a control server and a relay.
//
// It prints one JSON object a line: {"event":"ready"}, or {"event":"failed","error":…} and exits with 1. Its standard input is a leash: when that
// ends before a line `detach` was read, or on SIGTERM, SIGINT or SIGHUP, it ends. On SIGUSR1 it reads routes and globals anew.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"agentweave-mesh/rehearsal/tailnet/internal/control"
)

func main() {
	file := flag.String("config", "", "path of the tailnet's configuration (tailnet.json)")
	flag.Parse()
	if err := run(*file); err != nil {
		emit(map[string]string{"event": "failed", "error": err.Error()})
		os.Exit(1)
	}
}

func emit(event map[string]string) {
	// After `detach` nobody may read; then there is nobody to tell either.
	_ = json.NewEncoder(os.Stdout).Encode(event)
}

func run(file string) error {
	c, err := control.Load(file)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE)
	end := leash()
	logFile, err := os.OpenFile(filepath.Join(c.Dir, "tailnet.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	log.SetOutput(logFile)
	server, err := control.Start(c, log.Printf)
	if err != nil {
		return err
	}
	defer server.Close()
	pidFile := filepath.Join(c.Dir, "tailnet.pid")
	if err := writeIdentity(pidFile); err != nil {
		return err
	}
	defer os.Remove(pidFile)
	emit(map[string]string{"event": "ready"})
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGUSR1)
	for {
		select {
		case <-end:
			return nil
		case <-changed:
			if c, err := control.Load(file); err != nil {
				log.Print(err)
			} else {
				server.Reconfigure(c)
			}
		}
	}
}

// leash returns a channel that is closed when the server has to end.
func leash() <-chan struct{} {
	end := make(chan struct{})
	lines := make(chan string)
	go func() {
		defer close(lines)
		for input := bufio.NewScanner(os.Stdin); input.Scan(); {
			lines <- input.Text()
		}
	}()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() {
		defer close(end)
		for input := lines; ; {
			select {
			case s := <-signals:
				if s == syscall.SIGHUP && input == nil {
					continue // the terminal is gone; that is what detaching is for
				}
				return
			case line, open := <-input:
				if !open {
					return
				}
				if line == "detach" {
					input = nil
				}
			}
		}
	}()
	return end
}

// writeIdentity writes a pid file as those of the clouds are: with the start time, field 22 of /proc/<pid>/stat.
func writeIdentity(file string) error {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return err
	}
	_, fields, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
	text := fmt.Sprintf("{\"pid\":%d,\"started\":%q}\n", os.Getpid(), strings.Fields(fields)[19])
	return os.WriteFile(file, []byte(text), 0o600)
}
