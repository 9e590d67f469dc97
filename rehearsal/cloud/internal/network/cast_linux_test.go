package network

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// player is a process of the test.
type player struct {
	t       *testing.T
	cmd     *exec.Cmd
	answers *bufio.Scanner
	orders  *os.File
}

// cast starts a process of the test by a command that makes or enters its namespaces.
func cast(t *testing.T, part string, wrapper ...string) *player {
	t.Helper()
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	input, orders, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(wrapper[0], append(wrapper[1:], self)...)
	cmd.Env, cmd.Stdin, cmd.Stderr = append(os.Environ(), partVariable+"="+part), input, os.Stderr
	output, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	input.Close()
	p := &player{t, cmd, bufio.NewScanner(output), orders}
	t.Cleanup(p.leave)
	if got := p.next(); got != "ready" {
		t.Fatalf("%s: %s", part, got)
	}
	return p
}

func (p *player) next() string {
	if !p.answers.Scan() {
		return "ended"
	}
	return p.answers.Text()
}

// told returns the answer to an order: "done", or why not.
func (p *player) told(order ...string) string {
	fmt.Fprintln(p.orders, strings.Join(order, " "))
	return p.next()
}

func (p *player) leave() {
	p.orders.Close()
	_ = p.cmd.Wait()
}
