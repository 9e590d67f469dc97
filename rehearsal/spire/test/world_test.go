// Package test runs spire-server as a user does: as processes, through its command line.
package test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var standIn, standInAgent string

func TestMain(m *testing.M) {
	if mode := os.Getenv("TEST_WORKLOAD"); mode != "" {
		runWorkload(mode)
		return
	}
	os.Exit(func() int {
		directory, err := os.MkdirTemp("", "spire-stand-in")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(directory)
		standIn, standInAgent = filepath.Join(directory, "spire-server"), filepath.Join(directory, "spire-agent")
		if out, err := exec.Command("go", "build", "-o", directory, "../cmd/spire-server", "../cmd/spire-agent").CombinedOutput(); err != nil {
			panic(fmt.Sprintf("building the stand-ins: %v\n%s", err, out))
		}
		return m.Run()
	}())
}

// cloud is a server of one trust domain, with its files in a directory of its own.
type cloud struct {
	t *testing.T
	// server runs; client is the command line that talks to it. They are the same but where one has to drive the other.
	server, client        string
	directory, domain     string
	endpointPort, apiPort int
	process               *exec.Cmd
	log                   *bytes.Buffer
}

const address = "127.0.41.1"

func newCloud(t *testing.T, binary, domain string) *cloud {
	// Unix sockets have short paths: t.TempDir() with a long test name would be too long.
	directory, err := os.MkdirTemp("", "spire")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	c := &cloud{t: t, server: binary, client: binary, directory: directory, domain: domain, endpointPort: freePort(t), apiPort: freePort(t)}
	c.configure("24h")
	return c
}

func freePort(t *testing.T) int {
	listener, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func (c *cloud) path(name string) string { return filepath.Join(c.directory, name) }
func (c *cloud) url() string             { return fmt.Sprintf("https://%s:%d", address, c.endpointPort) }
func (c *cloud) id() string              { return "spiffe://" + c.domain }

func (c *cloud) configure(caTTL string) {
	text := fmt.Sprintf(`
server {
  bind_address = %q
  bind_port = %d
  socket_path = %q
  trust_domain = %q
  data_dir = %q
  log_level = "DEBUG"
  ca_ttl = %q
  default_x509_svid_ttl = "1h"
  federation {
    bundle_endpoint {
      address = %q
      port = %d
      refresh_hint = "5m"
      profile "https_spiffe" {}
    }
  }
}
plugins {
  DataStore "sql" {
    plugin_data { database_type = "sqlite3" connection_string = %q }
  }
  KeyManager "disk" {
    plugin_data { keys_path = %q }
  }
}
`, address, c.apiPort, c.path("api.sock"), c.domain, c.path("data"), caTTL, address, c.endpointPort, c.path("data/datastore.sqlite3"), c.path("data/keys.json"))
	if err := os.WriteFile(c.path("server.conf"), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// start runs the server and returns once it is healthy.
func (c *cloud) start() {
	c.t.Helper()
	c.log = &bytes.Buffer{}
	c.process = exec.Command(c.server, "run", "-config", c.path("server.conf"))
	c.process.Stdout, c.process.Stderr = c.log, c.log
	if err := c.process.Start(); err != nil {
		c.t.Fatal(err)
	}
	process := c.process
	c.t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c.do("", "healthcheck").exit == 0 {
			return
		}
	}
	_ = process.Process.Kill()
	_ = process.Wait()
	c.t.Fatalf("%s is not healthy after 30 s; its log:\n%s", c.domain, c.log)
}

// stop ends the server in the way Kubernetes does and returns its exit code.
func (c *cloud) stop() int {
	c.t.Helper()
	if err := c.process.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	_ = c.process.Wait()
	return c.process.ProcessState.ExitCode()
}

// answer is what a command said.
type answer struct {
	command        string
	exit           int
	stdout, stderr string
}

func (a answer) String() string {
	return fmt.Sprintf("%s\nexit %d\nstdout: %s\nstderr: %s", a.command, a.exit, a.stdout, a.stderr)
}

// do runs a command against the cloud's server.
func (c *cloud) do(stdin string, args ...string) answer {
	c.t.Helper()
	withSocket := args
	if args[0] != "validate" && args[0] != "run" {
		withSocket = append(append([]string{}, args...), "-socketPath", c.path("api.sock"))
	}
	return execute(c.t, c.client, stdin, withSocket...)
}

func execute(t *testing.T, binary, stdin string, args ...string) answer {
	t.Helper()
	command := exec.Command(binary, args...)
	command.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return answer{strings.Join(args, " "), command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must fails the test unless the command exits 0, and returns its output.
func (c *cloud) must(stdin string, args ...string) string {
	c.t.Helper()
	a := c.do(stdin, args...)
	if a.exit != 0 {
		c.t.Fatal(a)
	}
	return a.stdout
}

// relationship is the JSON of -data by which another cloud federates with this one.
func (c *cloud) relationship(bundle string) string {
	return relationship(c.domain, c.url(), "https_spiffe", c.id()+"/spire/server", bundle)
}

func relationship(domain, url, profile, id, bundle string) string {
	return fmt.Sprintf(`{"federationRelationships":[{"trustDomain":%q,"bundleEndpointURL":%q,"bundleEndpointProfile":%q,"endpointSPIFFEID":%q,"trustDomainBundle":%s,"trustDomainBundleFormat":"spiffe"}]}`,
		domain, url, profile, id, bundle)
}
