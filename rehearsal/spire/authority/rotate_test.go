package authority

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	localauthorityv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/localauthority/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

// world is a server's files and a clock that only moves when told to.
type world struct {
	t         *testing.T
	directory string
	now       time.Time
}

const caTTL = 6 * time.Hour

func newWorld(t *testing.T) *world {
	return &world{t: t, directory: t.TempDir(), now: time.Now().Truncate(time.Second)}
}

func (w *world) database() string { return filepath.Join(w.directory, "datastore.sqlite3") }

func (w *world) open() *Manager {
	w.t.Helper()
	data, err := store.Open(w.database())
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := New(Config{
		TrustDomain: spiffeid.RequireTrustDomainFromString("a.example.org"), Store: data,
		CATTL: caTTL, X509SVIDTTL: time.Hour, Subject: pkix.Name{Organization: []string{"SPIFFE"}},
		Now: func() time.Time { return w.now }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) after(m *Manager, d time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(d)
	if err := m.Rotate(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(m *Manager, what string, authorities int, sequence uint64) *types.Bundle {
	w.t.Helper()
	b := m.Store.Read().Bundles["a.example.org"]
	if len(b.X509Authorities) != authorities || b.SequenceNumber != sequence {
		w.t.Fatalf("%s: %d authorities and sequence %d, want %d and %d", what, len(b.X509Authorities), b.SequenceNumber, authorities, sequence)
	}
	return b
}

func TestAnAuthorityIsPreparedAtHalfLifeAndActivatedWithASixthLeft(t *testing.T) {
	w := newWorld(t)
	m := w.open()
	first := m.Store.Read().X509.Current
	// The bundle is created with the CA and has the JWT key added to it.
	w.want(m, "at the start", 1, 1)

	w.after(m, caTTL/2)
	w.want(m, "at half-life exactly", 1, 1)
	w.after(m, time.Second)
	w.want(m, "after half-life", 2, 3)
	prepared := m.Store.Read().X509.Next
	if prepared.Status != store.Prepared || m.Store.Read().X509.Current.ID != first.ID {
		t.Fatalf("after half-life the first authority has to sign, the second to wait: %+v", m.Store.Read().X509)
	}

	w.after(m, caTTL/3-2*time.Second)
	if m.Store.Read().X509.Current.ID != first.ID {
		t.Fatal("activated with more than a sixth of the life left")
	}
	w.after(m, 2*time.Second)
	if pair := m.Store.Read().X509; pair.Current.ID != prepared.ID || pair.Next.Status != store.Old || pair.Next.ID != first.ID {
		t.Fatalf("after 5/6 of the life: %+v", pair)
	}
	w.want(m, "after activation", 2, 3)
}

func TestExpiredAuthoritiesLeaveTheBundleADayLater(t *testing.T) {
	w := newWorld(t)
	m := w.open()
	first := m.Store.Read().X509.Current.Certificate
	for w.now.Before(mustParse(t, first).NotAfter.Add(pruneSafety)) {
		if b := m.Store.Read().Bundles["a.example.org"]; string(b.X509Authorities[0].Asn1) != string(first) {
			t.Fatal("the first authority was pruned before a day had passed")
		}
		w.after(m, time.Hour)
	}
	w.after(m, time.Second)
	for _, a := range m.Store.Read().Bundles["a.example.org"].X509Authorities {
		if !mustParse(t, a.Asn1).NotAfter.After(w.now.Add(-pruneSafety)) {
			t.Fatal("an authority is still there more than a day after it expired")
		}
	}
}

func TestTheServersSVIDIsRenewedAtHalfLifeAndAfterATaint(t *testing.T) {
	w := newWorld(t)
	m := w.open()
	serial := func() string {
		svid, err := m.ServerSVID(nil)
		if err != nil {
			t.Fatal(err)
		}
		if id := svid.Leaf.URIs[0].String(); id != "spiffe://a.example.org/spire/server" {
			t.Fatal(id)
		}
		return svid.Leaf.SerialNumber.String()
	}
	first := serial()
	w.after(m, 25*time.Minute)
	if serial() != first {
		t.Fatal("renewed before half-life")
	}
	w.after(m, 10*time.Minute)
	second := serial()
	if second == first {
		t.Fatal("not renewed after half-life")
	}
	old := m.Store.Read().X509.Current.ID
	local := &Local{Manager: m}
	prepared, err := local.PrepareX509Authority(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	id := prepared.PreparedAuthority.AuthorityId
	if _, err := local.ActivateX509Authority(t.Context(), &localauthorityv1.ActivateX509AuthorityRequest{AuthorityId: id}); err != nil {
		t.Fatal(err)
	}
	if serial() != second {
		t.Fatal("renewed by an activation alone")
	}
	if _, err := local.TaintX509Authority(t.Context(), &localauthorityv1.TaintX509AuthorityRequest{AuthorityId: old}); err != nil {
		t.Fatal(err)
	}
	svid, err := m.ServerSVID(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := svid.Leaf.CheckSignatureFrom(mustParse(t, m.Store.Read().X509.Current.Certificate)); err != nil {
		t.Fatalf("after the taint the SVID is not signed by the active CA: %v", err)
	}
}

func TestARestartKeepsAuthoritiesAndBundle(t *testing.T) {
	w := newWorld(t)
	m := w.open()
	w.after(m, caTTL/2+time.Second)
	before := m.Store.Read()
	again := w.open().Store.Read()
	if again.X509.Current.ID != before.X509.Current.ID || again.X509.Next.ID != before.X509.Next.ID {
		t.Fatalf("before %+v\nafter %+v", before.X509, again.X509)
	}
	w.want(m, "after the restart", 2, 3)
}

func TestALostDatabaseMeansANewAuthority(t *testing.T) {
	w := newWorld(t)
	before := w.open().Store.Read().X509.Current.ID
	if err := os.Remove(w.database()); err != nil {
		t.Fatal(err)
	}
	m := w.open()
	if m.Store.Read().X509.Current.ID == before {
		t.Fatal("the authority of the lost database is back")
	}
	w.want(m, "after the loss", 1, 1)
}

func TestADatabaseRemovedUnderARunningServerDoesNotComeBack(t *testing.T) {
	w := newWorld(t)
	m := w.open()
	if err := os.Remove(w.database()); err != nil {
		t.Fatal(err)
	}
	w.after(m, caTTL/2+time.Second)
	w.want(m, "the running server goes on", 2, 3)
	if _, err := os.Stat(w.database()); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the file is back: %v", err)
	}
}

func TestTheStateWithItsKeysIsReadableByTheServerAlone(t *testing.T) {
	w := newWorld(t)
	w.open()
	info, err := os.Stat(w.database())
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("mode %o", mode)
	}
}

func TestAnSVIDNeverOutlivesItsCA(t *testing.T) {
	m := newWorld(t).open()
	id := spiffeid.RequireFromString("spiffe://a.example.org/agent")
	key, _, err := generateKey()
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := m.SignX509SVID(Request{ID: id, PublicKey: key.Public(), TTL: 2 * caTTL})
	if err != nil {
		t.Fatal(err)
	}
	if ca := mustParse(t, m.Store.Read().X509.Current.Certificate); !leaf.NotAfter.Equal(ca.NotAfter) {
		t.Fatalf("the SVID ends at %s, the CA at %s", leaf.NotAfter, ca.NotAfter)
	}
}

func mustParse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}
