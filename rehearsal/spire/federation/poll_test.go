package federation

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"agentweave-mesh/rehearsal/spire/authority"
	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	localauthorityv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/localauthority/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// peer is a trust domain with a live endpoint.
type peer struct {
	*authority.Manager
	url string
}

func newPeer(t *testing.T, domain string) *peer {
	t.Helper()
	data := openStore(t)
	m, err := authority.New(authority.Config{
		TrustDomain: spiffeid.RequireTrustDomainFromString(domain), Store: data, CATTL: time.Hour, X509SVIDTTL: time.Hour,
		Subject: pkix.Name{Organization: []string{"SPIFFE"}}, Now: time.Now, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{Manager: m}
	p.url = serve(t, Endpoint(data, domain, 5*time.Minute), m)
	return p
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	data, err := store.Open(filepath.Join(t.TempDir(), "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func serve(t *testing.T, handler http.Handler, identity *authority.Manager) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(quiet.Handler(), slog.LevelDebug), ReadHeaderTimeout: time.Second}
	go func() {
		_ = server.Serve(tls.NewListener(listener, &tls.Config{GetCertificate: identity.ServerSVID, MinVersion: tls.VersionTLS12}))
	}()
	t.Cleanup(func() { _ = server.Close() })
	return "https://" + listener.Addr().String()
}

func (p *peer) bundle() *types.Bundle { return p.Store.Read().Bundles[p.TrustDomain.Name()] }

// federate returns the poller of a server that has the peer's bundle, and a relationship with its domain as given.
func federate(t *testing.T, p *peer, url, endpointID string) *Poller {
	t.Helper()
	data := openStore(t)
	err := data.Update(func(s *store.State) error {
		s.Bundles[p.TrustDomain.Name()] = p.bundle()
		td := p.TrustDomain.Name()
		s.Relationships[td] = store.Relationship{TrustDomain: td, URL: url, EndpointID: endpointID}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return NewPoller(data, quiet)
}

const serverOfB = "spiffe://b.example.org/spire/server"

func TestPollingPicksUpARotatedPeer(t *testing.T) {
	b := newPeer(t, "b.example.org")
	requests := make(chan struct{})
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Endpoint(b.Store, "b.example.org", 5*time.Minute).ServeHTTP(w, r)
		select {
		case requests <- struct{}{}:
		case <-r.Context().Done():
		}
	}), b.Manager)
	p := federate(t, b, url, serverOfB)
	p.Interval, p.Tick = func(*types.Bundle) time.Duration { return 0 }, 10*time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	<-requests
	b.prepare(t)
	for len(p.Store.Read().Bundles["b.example.org"].X509Authorities) < 2 {
		<-requests
	}
	stop()
	<-done
	// SPIRE drops the sequence number of what it polls.
	if after := p.Store.Read().Bundles["b.example.org"]; after.SequenceNumber != 0 || after.RefreshHint != 300 {
		t.Fatalf("sequence %d and hint %d after the rotation", after.SequenceNumber, after.RefreshHint)
	}
}

// prepare makes the peer publish a second authority.
func (p *peer) prepare(t *testing.T) *authority.Local {
	t.Helper()
	local := &authority.Local{Manager: p.Manager}
	if _, err := local.PrepareX509Authority(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return local
}

func TestAPeerThatRotatedTwiceIsRefusedUntilItIsBootstrappedAgain(t *testing.T) {
	b := newPeer(t, "b.example.org")
	p := federate(t, b, b.url, serverOfB)
	local := b.prepare(t)
	pair := b.Store.Read().X509
	if _, err := local.ActivateX509Authority(t.Context(), &localauthorityv1.ActivateX509AuthorityRequest{AuthorityId: pair.Next.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := local.TaintX509Authority(t.Context(), &localauthorityv1.TaintX509AuthorityRequest{AuthorityId: pair.Current.ID}); err != nil {
		t.Fatal(err)
	}
	refused(t, p, b, "certificate signed by unknown authority")
	if err := p.Store.Update(func(s *store.State) error { s.Bundles["b.example.org"] = b.bundle(); return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Refresh(t.Context(), "b.example.org"); err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, p *Poller, b *peer, why string) {
	t.Helper()
	before := p.Store.Read().Bundles[b.TrustDomain.Name()]
	managed, err := p.Refresh(t.Context(), b.TrustDomain.Name())
	if !managed || err == nil || !strings.Contains(err.Error(), why) {
		t.Fatalf("want a refusal with %q, got managed %v and %v", why, managed, err)
	}
	after := p.Store.Read().Bundles[b.TrustDomain.Name()]
	if len(before.X509Authorities) != len(after.X509Authorities) || !bytes.Equal(before.X509Authorities[0].Asn1, after.X509Authorities[0].Asn1) {
		t.Fatal("the stored bundle has changed all the same")
	}
}

func TestAnEndpointWithAnotherSPIFFEIDIsRefused(t *testing.T) {
	b := newPeer(t, "b.example.org")
	refused(t, federate(t, b, b.url, "spiffe://b.example.org/other"), b, "unexpected ID")
}

func TestAnEndpointUnderAnotherCAIsRefused(t *testing.T) {
	b, impostor := newPeer(t, "b.example.org"), newPeer(t, "b.example.org")
	refused(t, federate(t, b, impostor.url, serverOfB), b, "certificate signed by unknown authority")
}

func TestAnEndpointOfAnotherTrustDomainIsRefused(t *testing.T) {
	b, c := newPeer(t, "b.example.org"), newPeer(t, "c.example.org")
	refused(t, federate(t, b, c.url, serverOfB), b, "c.example.org")
}

func TestAnAnswerThatIsNoBundleIsRefused(t *testing.T) {
	b := newPeer(t, "b.example.org")
	for _, answer := range []struct {
		status    int
		body, why string
	}{
		{http.StatusOK, "{", "unable to parse JWKS"},
		{http.StatusOK, `{"keys":[{"use":"x509-svid","kty":"EC"}]}`, "unable to parse JWKS"},
		{http.StatusInternalServerError, "out of order", "unexpected status 500 fetching bundle: out of order"},
	} {
		url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(answer.status)
			_, _ = io.WriteString(w, answer.body)
		}), b.Manager)
		refused(t, federate(t, b, url, serverOfB), b, answer.why)
	}
}

func TestWithoutTheEndpointsBundleNothingIsFetched(t *testing.T) {
	b := newPeer(t, "b.example.org")
	p := federate(t, b, b.url, "spiffe://c.example.org/spire/server")
	refused(t, p, b, "local copy of bundle not found")
}

func TestABundleOfADeletedRelationshipDoesNotComeBack(t *testing.T) {
	b := newPeer(t, "b.example.org")
	var p *Poller
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := p.Store.Update(func(s *store.State) error {
			clear(s.Relationships)
			clear(s.Bundles)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		Endpoint(b.Store, "b.example.org", time.Minute).ServeHTTP(w, r)
	}), b.Manager)
	p = federate(t, b, url, serverOfB)
	if _, err := p.Refresh(t.Context(), "b.example.org"); err != nil {
		t.Fatal(err)
	}
	if p.Store.Read().Bundles["b.example.org"] != nil {
		t.Fatal("the bundle is back")
	}
}

func TestPollsComeEveryQuarterOfTheRefreshHint(t *testing.T) {
	for _, c := range []struct {
		bundle *types.Bundle
		want   time.Duration
	}{
		{&types.Bundle{RefreshHint: 300}, 75 * time.Second},
		{&types.Bundle{RefreshHint: 10}, 15 * time.Second},
		{&types.Bundle{}, 5 * time.Minute},
		{nil, time.Minute},
	} {
		if got := Interval(c.bundle); got != c.want {
			t.Errorf("%v: %v, want %v", c.bundle, got, c.want)
		}
	}
}
