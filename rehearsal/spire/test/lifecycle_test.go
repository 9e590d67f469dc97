package test

import (
	"net"
	"os"
	"strings"
	"testing"

	"agentweave-mesh/rehearsal/spire/probe"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

func started(t *testing.T, domain string) *cloud {
	c := newCloud(t, standIn, domain)
	c.start()
	return c
}

func (c *cloud) bundle() string { return c.must("", "bundle", "show", "-format", "spiffe") }

func (c *cloud) federateWith(other *cloud) {
	c.t.Helper()
	answer := c.must(other.relationship(other.bundle()), "federation", "create", "-data", "-", "-output", "json")
	if !strings.Contains(answer, `"code":0`) {
		c.t.Fatal(answer)
	}
}

func TestItSaysThatItIsAStandIn(t *testing.T) {
	help := execute(t, standIn, "", "--help")
	if help.exit != 0 || !strings.Contains(help.stderr, "stand-in for SPIRE") {
		t.Error(help)
	}
	if version := execute(t, standIn, "", "--version"); version.exit != 0 || !strings.Contains(version.stdout+version.stderr, "standin") {
		t.Error(version)
	}
	c := started(t, "a.example.org")
	c.stop()
	if first, _, _ := strings.Cut(c.log.String(), "\n"); !strings.Contains(first, "stand-in for SPIRE") {
		t.Errorf("the log begins with %q", first)
	}
}

func TestSIGTERMEndsItGracefullyAndARestartKeepsEverything(t *testing.T) {
	a, b := started(t, "a.example.org"), started(t, "b.example.org")
	a.federateWith(b)
	a.must(entryData("", a.id()+"/agent", b.id()), "entry", "create", "-data", "-")
	view := func() string {
		return a.must("", "bundle", "show") + a.must("", "federation", "list") + a.must("", "entry", "show") + a.must("", "bundle", "list")
	}
	before := view()
	if exit := a.stop(); exit != 0 {
		t.Fatalf("exit %d; log:\n%s", exit, a.log)
	}
	a.start()
	if after := view(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	a.must("", "federation", "refresh", "-id", b.id())
}

func TestAKilledServerStartsAgainOverItsOldSocket(t *testing.T) {
	a := started(t, "a.example.org")
	before := a.bundle()
	if err := a.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = a.process.Wait()
	if _, err := os.Stat(a.path("api.sock")); err != nil {
		t.Fatalf("the case needs the socket that was left behind: %v", err)
	}
	a.start()
	if a.bundle() != before {
		t.Error("the bundle has changed")
	}
}

func TestALostDataDirectoryMeansANewCAAndNoRelationships(t *testing.T) {
	a, b := started(t, "a.example.org"), started(t, "b.example.org")
	a.federateWith(b)
	b.federateWith(a)
	before := a.bundle()
	a.stop()
	if err := os.RemoveAll(a.path("data")); err != nil {
		t.Fatal(err)
	}
	a.start()
	if a.bundle() == before {
		t.Error("the CA is the old one")
	}
	if list := a.must("", "federation", "list", "-output", "json"); !strings.Contains(list, `"federation_relationships":[]`) {
		t.Error(list)
	}
	if refresh := b.do("", "federation", "refresh", "-id", a.id()); refresh.exit != 1 || !strings.Contains(refresh.stderr, "certificate signed by unknown authority") {
		t.Errorf("the peer has to refuse the new CA until it is bootstrapped again: %s", refresh)
	}
}

func TestAPortInUseStopsItWithTheCause(t *testing.T) {
	c := newCloud(t, standIn, "a.example.org")
	listener, err := net.Listen("tcp", strings.TrimPrefix(c.url(), "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if run := c.do("", "run", "-config", c.path("server.conf")); run.exit != 1 || !strings.Contains(run.stderr, "address already in use") {
		t.Error(run)
	}
}

func TestWithoutAServerACommandFailsWithTheCause(t *testing.T) {
	c := newCloud(t, standIn, "a.example.org")
	if show := c.do("", "bundle", "show"); show.exit != 1 || !strings.Contains(show.stderr, "no such file or directory") {
		t.Error(show)
	}
	if check := c.do("", "healthcheck"); check.exit != 1 || !strings.Contains(check.stderr, "server is unhealthy: unable to determine health") {
		t.Error(check)
	}
}

func TestPluginsThatWouldChangeTheTrustAreRefusedRatherThanIgnored(t *testing.T) {
	c := newCloud(t, standIn, "a.example.org")
	text, err := os.ReadFile(c.path("server.conf"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "plugins {", "plugins {\n  UpstreamAuthority \"disk\" { plugin_data {} }", 1)
	if err := os.WriteFile(c.path("server.conf"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if run := c.do("", "run", "-config", c.path("server.conf")); run.exit != 1 || !strings.Contains(run.stderr, "UpstreamAuthority") {
		t.Error(run)
	}
}

func TestTheSPIFFELibraryAcceptsTheEndpointAndNoOther(t *testing.T) {
	a, b := started(t, "a.example.org"), started(t, "b.example.org")
	id := spiffeid.RequireFromString(a.id() + "/spire/server")
	report, err := probe.Fetch(t.Context(), a.url(), id, []byte(a.bundle()))
	if err != nil {
		t.Fatal(err)
	}
	if report.TrustDomain != a.domain || report.RefreshHintSeconds != 300 || report.Sequence != 1 || len(report.X509Authorities) != 1 {
		t.Errorf("%+v", report)
	}
	a.must("", "localauthority", "x509", "prepare")
	rotated, err := probe.Fetch(t.Context(), a.url(), id, []byte(a.bundle()))
	if err != nil || rotated.Sequence != 2 || len(rotated.X509Authorities) != 2 || rotated.Digest == report.Digest {
		t.Errorf("%+v, %v", rotated, err)
	}
	for _, c := range []struct{ url, id, bundle, why string }{
		{a.url(), a.id() + "/spire/server", b.bundle(), "certificate signed by unknown authority"},
		{a.url(), a.id() + "/other", a.bundle(), "unexpected ID"},
		{b.url(), a.id() + "/spire/server", a.bundle(), "b.example.org"},
		{a.url() + "/other", a.id() + "/spire/server", a.bundle(), "unable to parse JWKS"},
		{a.url(), a.id() + "/spire/server", `{"keys":[]}`, "no X.509 authority"},
		{a.url(), a.id() + "/spire/server", "text", "to authenticate with"},
	} {
		if _, err := probe.Fetch(t.Context(), c.url, spiffeid.RequireFromString(c.id), []byte(c.bundle)); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("want %q, got %v", c.why, err)
		}
	}
}
