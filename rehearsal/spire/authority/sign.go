package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

// SPIRE dates certificates back so that a peer's clock may be a little slow.
const backdate = 10 * time.Second

// Request is what an SVID shall say.
type Request struct {
	ID        spiffeid.ID
	PublicKey crypto.PublicKey
	// TTL of zero takes the configured default; the CA's own end caps it.
	TTL time.Duration
	// DNSNames may be empty. As in SPIRE, the first one is the common name too.
	DNSNames []string
	// Subject is SPIRE's own where it is empty.
	Subject pkix.Name
}

// SignX509SVID returns an SVID signed by the active CA.
func (m *Manager) SignX509SVID(request Request) (*x509.Certificate, error) {
	active := m.Store.Read().X509.Current
	ca, err := x509.ParseCertificate(active.Certificate)
	if err != nil {
		return nil, fmt.Errorf("X509 CA is not available for signing: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(active.Key)
	if err != nil {
		return nil, fmt.Errorf("X509 CA is not available for signing: %w", err)
	}
	ttl := request.TTL
	if ttl <= 0 {
		ttl = m.X509SVIDTTL
	}
	template := m.template(request.ID, ttl)
	if template.NotAfter.After(ca.NotAfter) {
		template.NotAfter = ca.NotAfter
	}
	template.Subject = request.Subject
	if template.Subject.String() == "" {
		template.Subject = pkix.Name{Country: []string{"US"}, Organization: []string{"SPIRE"}}
	}
	if template.DNSNames = request.DNSNames; len(template.DNSNames) > 0 {
		template.Subject.CommonName = template.DNSNames[0]
	}
	template.KeyUsage = x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement | x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	return create(template, ca, request.PublicKey, key)
}

// ServerSVID is the SVID `spiffe://<trust domain>/spire/server` that the server presents on its endpoints.
func (m *Manager) ServerSVID(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return m.svid.Load(), nil
}

// renewSVID signs a new server SVID where there is none, where half of its life is over, or where its CA is tainted.
func (m *Manager) renewSVID() error {
	if current := m.svid.Load(); current != nil {
		leaf := current.Leaf
		issuer := find(m.bundle(m.Store.Read()), hex.EncodeToString(leaf.AuthorityKeyId))
		halfLife := leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
		if !m.Now().After(halfLife) && !issuer.GetTainted() {
			return nil
		}
	}
	key, _, err := generateKey()
	if err != nil {
		return err
	}
	id, err := spiffeid.FromPath(m.TrustDomain, "/spire/server")
	if err != nil {
		return err
	}
	leaf, err := m.SignX509SVID(Request{ID: id, PublicKey: key.Public()})
	if err != nil {
		return err
	}
	m.Log.Debug("Signed X509 SVID", "spiffe_id", id.String(), "expiration", leaf.NotAfter)
	m.svid.Store(&tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf})
	return nil
}

func (m *Manager) newCA(s *store.State) (store.Authority, error) {
	signer, key, err := generateKey()
	if err != nil {
		return store.Authority{}, err
	}
	template := m.template(m.TrustDomain.ID(), m.CATTL)
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128)); err != nil {
		return store.Authority{}, err
	}
	template.Subject = m.Subject
	template.Subject.SerialNumber = template.SerialNumber.String()
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	certificate, err := create(template, template, signer.Public(), signer)
	if err != nil {
		return store.Authority{}, err
	}
	a := store.Authority{
		ID: hex.EncodeToString(certificate.SubjectKeyId), Status: store.Prepared, IssuedAt: m.Now(), NotAfter: certificate.NotAfter,
		Key: key, Certificate: certificate.Raw,
	}
	bundle := m.changed(s)
	bundle.X509Authorities = append(bundle.X509Authorities, &types.X509Certificate{Asn1: certificate.Raw})
	m.Log.Info("X509 CA prepared", "local_authority_id", a.ID, "expiration", a.NotAfter)
	return a, nil
}

func (m *Manager) template(id spiffeid.ID, ttl time.Duration) *x509.Certificate {
	return &x509.Certificate{
		URIs: []*url.URL{id.URL()}, NotBefore: m.Now().Add(-backdate), NotAfter: m.Now().Add(ttl), BasicConstraintsValid: true,
	}
}

// create adds what crypto/x509 adds by itself: a serial number where there is none, and key identifiers.
func create(template, parent *x509.Certificate, public crypto.PublicKey, signer any) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func generateKey() (signer *ecdsa.PrivateKey, pkcs8 []byte, err error) {
	if signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, err
	}
	pkcs8, err = x509.MarshalPKCS8PrivateKey(signer)
	return signer, pkcs8, err
}

// find returns the X.509 authority of this id in the bundle, or nil.
func find(bundle *types.Bundle, id string) *types.X509Certificate {
	for _, a := range bundle.GetX509Authorities() {
		if certificate, err := x509.ParseCertificate(a.Asn1); err == nil && hex.EncodeToString(certificate.SubjectKeyId) == id {
			return a
		}
	}
	return nil
}
