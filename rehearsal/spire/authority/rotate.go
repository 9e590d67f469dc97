// Package authority makes, rotates, taints and revokes the server's CA and JWT keys as SPIRE's CA
// manager does, publishes them in the server's own bundle, and signs X.509-SVIDs.
package authority

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

// Times of SPIRE's CA manager and rotator (pkg/server/ca/manager, pkg/server/ca/rotator).
const (
	// RotateInterval is how often Rotate should be called.
	RotateInterval = 10 * time.Second
	// A new authority is prepared when half of the current one's life is left, 30 days at most.
	prepareDivisor, prepareCap = 2, 30 * 24 * time.Hour
	// It is activated when a sixth is left, 7 days at most.
	activateDivisor, activateCap = 6, 7 * 24 * time.Hour
	// Authorities leave the bundle a day after they have expired.
	pruneSafety = 24 * time.Hour
)

// Config of a Manager.
type Config struct {
	TrustDomain spiffeid.TrustDomain
	Store       *store.Store
	CATTL       time.Duration
	X509SVIDTTL time.Duration
	// Subject of CAs; each has its serial number added.
	Subject pkix.Name
	// Now is the clock; time.Now outside tests.
	Now func() time.Time
	Log *slog.Logger
}

// Manager is safe for concurrent use.
type Manager struct {
	Config
	svid atomic.Pointer[tls.Certificate]
}

// New goes on with the authorities of the store, or makes the first ones.
func New(c Config) (*Manager, error) {
	m := &Manager{Config: c}
	return m, m.Rotate()
}

// Rotate does what is due now: prepares or activates authorities, prunes expired ones, renews the server's SVID.
func (m *Manager) Rotate() error {
	err := m.Store.Update(func(s *store.State) error {
		err := errors.Join(m.rotate(&s.X509, s, m.newCA), m.rotate(&s.JWT, s, m.newJWTKey))
		if err == nil {
			m.prune(m.bundle(s))
		}
		return err
	})
	if err != nil {
		return err
	}
	return m.renewSVID()
}

func (m *Manager) rotate(pair *store.Pair, s *store.State, prepare func(*store.State) (store.Authority, error)) (err error) {
	due := func(divisor int64, limit time.Duration) bool {
		life := pair.Current.NotAfter.Sub(pair.Current.IssuedAt)
		return m.Now().After(pair.Current.NotAfter.Add(-min(life/time.Duration(divisor), limit)))
	}
	if pair.Current.Status == "" {
		if pair.Current, err = prepare(s); err != nil {
			return err
		}
		pair.Current.Status = store.Active
	}
	if pair.Next.Status != store.Prepared && due(prepareDivisor, prepareCap) {
		if pair.Next, err = prepare(s); err != nil {
			return err
		}
	}
	if due(activateDivisor, activateCap) {
		m.activate(pair)
	}
	return nil
}

func (m *Manager) activate(pair *store.Pair) {
	pair.Current, pair.Next = pair.Next, pair.Current
	pair.Current.Status, pair.Next.Status = store.Active, store.Old
	m.Log.Info("Authority activated", "local_authority_id", pair.Current.ID, "expiration", pair.Current.NotAfter)
}

func (m *Manager) newJWTKey(s *store.State) (store.Authority, error) {
	signer, key, err := generateKey()
	if err != nil {
		return store.Authority{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return store.Authority{}, err
	}
	now := m.Now()
	a := store.Authority{ID: rand.Text(), Status: store.Prepared, IssuedAt: now, NotAfter: now.Add(m.CATTL), Key: key}
	bundle := m.changed(s)
	bundle.JwtAuthorities = append(bundle.JwtAuthorities, &types.JWTKey{PublicKey: public, KeyId: a.ID, ExpiresAt: a.NotAfter.Unix()})
	m.Log.Info("JWT key prepared", "local_authority_id", a.ID, "expiration", a.NotAfter)
	return a, nil
}

func (m *Manager) bundle(s *store.State) *types.Bundle { return s.Bundles[m.TrustDomain.Name()] }

// changed returns the server's own bundle to be changed. The one that is created has no sequence number; every change adds one.
func (m *Manager) changed(s *store.State) *types.Bundle {
	bundle := m.bundle(s)
	if bundle == nil {
		bundle = &types.Bundle{TrustDomain: m.TrustDomain.Name()}
		s.Bundles[m.TrustDomain.Name()] = bundle
	} else {
		bundle.SequenceNumber++
	}
	return bundle
}

// prune takes long expired authorities out of the bundle; the active ones have just been rotated and stay.
func (m *Manager) prune(bundle *types.Bundle) {
	then, before := m.Now().Add(-pruneSafety), len(bundle.X509Authorities)+len(bundle.JwtAuthorities)
	bundle.X509Authorities = slices.DeleteFunc(bundle.X509Authorities, func(a *types.X509Certificate) bool {
		certificate, err := x509.ParseCertificate(a.Asn1)
		return err == nil && !certificate.NotAfter.After(then)
	})
	bundle.JwtAuthorities = slices.DeleteFunc(bundle.JwtAuthorities, func(k *types.JWTKey) bool {
		return !time.Unix(k.ExpiresAt, 0).After(then)
	})
	if len(bundle.X509Authorities)+len(bundle.JwtAuthorities) < before {
		bundle.SequenceNumber++
		m.Log.Debug("Expired certificates were successfully pruned from bundle")
	}
}
