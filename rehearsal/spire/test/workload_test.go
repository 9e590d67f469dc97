package test

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

// event is what a workload's process saw of the Workload API.
type event struct {
	ID, Serial, Issuer string
	SecondsLeft        float64
	// Authorities is the number of X.509 authorities in the bundle of each trust domain.
	Authorities map[string]int
	Error       string
}

// client is a workload's process, which reads the Workload API with the SPIFFE project's own library.
type client struct {
	t      *testing.T
	events chan event
}

// startWorkload starts this test's program again, in a directory.
func (a *agent) startWorkload(mode, directory string) *client {
	a.t.Helper()
	command := exec.Command(must(os.Executable()))
	command.Dir = directory
	// Relative for processes of pods, as the rehearsal has it: the path of a unix socket is limited to 107 bytes.
	socket := "/proc/self/cwd/spiffe-workload-api/spire-agent.sock"
	if !strings.HasPrefix(directory, a.path("pods")) || mode == "nested" {
		socket = a.socket()
	}
	command.Env = []string{"TEST_WORKLOAD=" + mode, "SPIFFE_ENDPOINT_SOCKET=unix://" + socket}
	input, output := must(command.StdinPipe()), must(command.StdoutPipe())
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		a.t.Fatal(err)
	}
	c := &client{a.t, make(chan event, 64)}
	go func() {
		defer close(c.events)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			var e event
			if json.Unmarshal(lines.Bytes(), &e) == nil {
				c.events <- e
			}
		}
	}()
	a.t.Cleanup(func() {
		input.Close() // tells the process that the test has ended
		for range c.events {
		}
		_ = command.Wait()
	})
	return c
}

// next returns the next event that is as described.
func (c *client) next(what string, is func(event) bool) event {
	c.t.Helper()
	var seen []event
	for limit := time.After(30 * time.Second); ; {
		select {
		case e, open := <-c.events:
			if open && is(e) {
				return e
			}
			if open {
				seen = append(seen, e)
				continue
			}
		case <-limit:
		}
		c.t.Fatalf("the workload never saw %s, but %+v", what, seen)
	}
}

// runWorkload is the process of a workload: it prints events until its standard input ends.
func runWorkload(mode string) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	switch mode {
	case "source":
		watchSource(ctx)
	case "watch":
		_ = workloadapi.WatchX509Context(ctx, printer{})
	case "nested":
		command := exec.Command(must(os.Executable()))
		command.Dir, command.Stdin, command.Stdout, command.Stderr = os.TempDir(), os.Stdin, os.Stdout, os.Stderr
		command.Env = []string{"TEST_WORKLOAD=watch", "SPIFFE_ENDPOINT_SOCKET=" + os.Getenv("SPIFFE_ENDPOINT_SOCKET")}
		_ = command.Run()
	}
}

func watchSource(ctx context.Context) {
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		return
	}
	defer source.Close()
	for {
		svid, err := source.GetX509SVID()
		printer{}.print(svid, source, err)
		select {
		case <-ctx.Done():
			return
		case <-source.Updated():
		}
	}
}

// printer prints what it is told.
type printer struct{}

func (p printer) OnX509ContextUpdate(update *workloadapi.X509Context) {
	p.print(update.DefaultSVID(), update.Bundles, nil)
}

func (printer) OnX509ContextWatchError(err error) {
	_ = json.NewEncoder(os.Stdout).Encode(event{Error: err.Error()})
}

// print prints an SVID that the bundles verify, or what is wrong.
func (printer) print(svid *x509svid.SVID, bundles x509bundle.Source, err error) {
	e := event{Authorities: map[string]int{}}
	if err == nil {
		_, _, err = x509svid.Verify(svid.Certificates, bundles)
	}
	if err != nil {
		e.Error = err.Error()
	} else {
		leaf := svid.Certificates[0]
		e.ID, e.Serial, e.Issuer, e.SecondsLeft = svid.ID.String(), leaf.SerialNumber.String(), hex.EncodeToString(leaf.AuthorityKeyId), time.Until(leaf.NotAfter).Seconds()
	}
	for _, domain := range []string{"a.example.org", "b.example.org"} {
		if bundle, err := bundles.GetX509BundleForTrustDomain(spiffeid.RequireTrustDomainFromString(domain)); err == nil {
			e.Authorities[domain] = len(bundle.X509Authorities())
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(e)
}
