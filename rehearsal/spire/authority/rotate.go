package authority

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"sync"
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
	// Authorities leave the bundle a day after they have expired; SPIRE looks every 6 hours.
	pruneInterval, pruneSafety = 6 * time.Hour, 24 * time.Hour
)

// Config of a Manager.
type Config struct {
	TrustDomain spiffeid.TrustDomain
	Store       *store.Store
	Keys        *Keys
	CATTL       time.Duration
	X509SVIDTTL time.Duration
	Subject     func(serial *big.Int) CASubject
	// Now is the clock; time.Now outside tests.
	Now func() time.Time
	Log *slog.Logger
}

// Manager is safe for concurrent use.
type Manager struct {
	Config
	mu     sync.Mutex
	pruned time.Time
	svid   *served
}

// New finds the authorities that state file and key store still have between them, and makes new ones for the rest.
func New(c Config) (*Manager, error) {
	m := &Manager{Config: c, pruned: c.Now()}
	err := c.Store.Update(func(s *store.State) error {
		for _, pair := range []*store.Pair{&s.X509, &s.JWT} {
			if pair.Current.Usable() && !m.hasKey(pair.Current) {
				c.Log.Warn("The key of the active authority is lost; preparing a new authority", "local_authority_id", pair.Current.AuthorityID)
				*pair = store.Pair{}
			}
			if pair.Next.Usable() && !m.hasKey(pair.Next) {
				pair.Next = store.Slot{}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := m.Rotate(); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Manager) hasKey(slot store.Slot) bool {
	signer := m.Keys.Get(slot.KeyID)
	return signer != nil && slot.AuthorityID == authorityID(slot, signer)
}

func authorityID(slot store.Slot, signer crypto.Signer) string {
	if slot.Certificate == nil {
		return jwtKeyID(signer)
	}
	id, err := subjectKeyID(signer.Public())
	if err != nil {
		return ""
	}
	return hex.EncodeToString(id)
}

// Rotate does what is due now: prepares or activates authorities, prunes expired ones, renews the server's SVID.
func (m *Manager) Rotate() error {
	now := m.Now()
	err := m.update(func(s *store.State) error {
		err1 := m.rotatePair(&s.X509, now, func() error { return m.prepareX509(s) })
		err2 := m.rotatePair(&s.JWT, now, func() error { return m.prepareJWT(s) })
		if now.Sub(m.pruned) >= pruneInterval {
			m.pruned = now
			m.prune(s.Bundle(m.TrustDomain.Name()), now.Add(-pruneSafety))
		}
		return errors.Join(err1, err2)
	})
	if err != nil {
		return err
	}
	return m.renewSVID()
}

func (m *Manager) update(change func(*store.State) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Store.Update(change)
}

func (m *Manager) rotatePair(pair *store.Pair, now time.Time, prepare func() error) error {
	if !pair.Current.Usable() {
		if err := prepare(); err != nil {
			return err
		}
		pair.Current.Status = store.Active
	}
	if !pair.Next.Usable() && now.After(threshold(pair.Current, prepareDivisor, prepareCap)) {
		if err := prepare(); err != nil {
			return err
		}
	}
	if now.After(threshold(pair.Current, activateDivisor, activateCap)) {
		m.activate(pair)
	}
	return nil
}

func threshold(slot store.Slot, divisor int64, limit time.Duration) time.Time {
	life := slot.NotAfter.Sub(slot.IssuedAt)
	return slot.NotAfter.Add(-min(life/time.Duration(divisor), limit))
}

func (m *Manager) activate(pair *store.Pair) {
	pair.Current, pair.Next = pair.Next, pair.Current
	pair.Current.Status, pair.Next.Status = store.Active, store.Old
	m.Log.Info("Authority activated", "local_authority_id", pair.Current.AuthorityID, "expiration", pair.Current.NotAfter)
}

// free returns the slot in which the next authority is to be prepared, and a key id that the other slot does not have.
func free(pair *store.Pair, kind string) (*store.Slot, string) {
	if !pair.Current.Usable() {
		return &pair.Current, kind + "-A"
	}
	if pair.Current.KeyID == kind+"-A" {
		return &pair.Next, kind + "-B"
	}
	return &pair.Next, kind + "-A"
}

func (m *Manager) prepareX509(s *store.State) error {
	slot, keyID := free(&s.X509, "x509-CA")
	signer, err := m.Keys.Generate(keyID)
	if err != nil {
		return err
	}
	certificate, err := m.selfSign(signer)
	if err != nil {
		return err
	}
	*slot = store.Slot{
		KeyID: keyID, Status: store.Prepared, IssuedAt: m.Now(), NotAfter: certificate.NotAfter,
		AuthorityID: hex.EncodeToString(certificate.SubjectKeyId), Certificate: certificate.Raw,
	}
	m.publish(s, func(b *types.Bundle) {
		b.X509Authorities = append(b.X509Authorities, &types.X509Certificate{Asn1: certificate.Raw})
	})
	m.Log.Info("X509 CA prepared", "local_authority_id", slot.AuthorityID, "expiration", slot.NotAfter, "self_signed", true)
	return nil
}

func (m *Manager) prepareJWT(s *store.State) error {
	slot, keyID := free(&s.JWT, "JWT-Signer")
	signer, err := m.Keys.Generate(keyID)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return err
	}
	now := m.Now()
	*slot = store.Slot{KeyID: keyID, Status: store.Prepared, IssuedAt: now, NotAfter: now.Add(m.CATTL), AuthorityID: jwtKeyID(signer)}
	m.publish(s, func(b *types.Bundle) {
		b.JwtAuthorities = append(b.JwtAuthorities, &types.JWTKey{PublicKey: public, KeyId: slot.AuthorityID, ExpiresAt: slot.NotAfter.Unix()})
	})
	m.Log.Info("JWT key prepared", "local_authority_id", slot.AuthorityID, "expiration", slot.NotAfter)
	return nil
}

// publish changes the server's own bundle. The bundle that is created has no sequence number; every change adds one.
func (m *Manager) publish(s *store.State, change func(*types.Bundle)) {
	bundle := s.Bundle(m.TrustDomain.Name())
	if bundle == nil {
		bundle = &types.Bundle{TrustDomain: m.TrustDomain.Name()}
		s.SetBundle(bundle)
	} else {
		bundle.SequenceNumber++
	}
	change(bundle)
}

// prune takes authorities out of the bundle that had expired by then, but never the last one of a kind.
func (m *Manager) prune(bundle *types.Bundle, then time.Time) {
	cas := slices.DeleteFunc(slices.Clone(bundle.X509Authorities), func(a *types.X509Certificate) bool {
		certificate, err := x509.ParseCertificate(a.Asn1)
		return err == nil && !certificate.NotAfter.After(then)
	})
	keys := slices.DeleteFunc(slices.Clone(bundle.JwtAuthorities), func(k *types.JWTKey) bool {
		return !time.Unix(k.ExpiresAt, 0).After(then)
	})
	if len(cas) == 0 || len(keys) == 0 {
		m.Log.Warn("Pruning halted; all known authorities of a kind have expired")
		return
	}
	if len(cas) == len(bundle.X509Authorities) && len(keys) == len(bundle.JwtAuthorities) {
		return
	}
	bundle.X509Authorities, bundle.JwtAuthorities = cas, keys
	bundle.SequenceNumber++
	m.Log.Debug("Expired certificates were successfully pruned from bundle")
}

func randomSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, fmt.Errorf("failed to get new serial number: %w", err)
	}
	return serial, nil
}
