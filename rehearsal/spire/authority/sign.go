package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 5280 4.2.1.2 names a key by its SHA-1; nothing relies on its strength
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"time"

	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// CASubject is the distinguished name of a CA.
type CASubject = pkix.Name

// SPIRE dates certificates back so that a peer's clock may be a little slow.
const backdate = 10 * time.Second

// served is the server's own SVID and the CA that signed it.
type served struct {
	certificate tls.Certificate
	issuer      string
}

// Request is what an X.509-SVID is to say.
type Request struct {
	ID        spiffeid.ID
	PublicKey crypto.PublicKey
	// TTL of zero takes the configured default; the CA's own end caps it.
	TTL      time.Duration
	DNSNames []string
	// Subject of no attributes takes SPIRE's default, C=US, O=SPIRE.
	Subject pkix.Name
}

// SignX509SVID returns an SVID signed by the active CA.
func (m *Manager) SignX509SVID(r Request) (*x509.Certificate, error) {
	active := m.Store.Read().X509.Current
	ca, err := x509.ParseCertificate(active.Certificate)
	if err != nil {
		return nil, fmt.Errorf("X509 CA is not available for signing: %w", err)
	}
	template, err := m.template(r.ID, r.PublicKey)
	if err != nil {
		return nil, err
	}
	if r.TTL <= 0 {
		r.TTL = m.X509SVIDTTL
	}
	template.NotAfter = m.Now().Add(r.TTL)
	if template.NotAfter.After(ca.NotAfter) {
		template.NotAfter = ca.NotAfter
	}
	template.Subject = r.Subject
	if r.Subject.String() == "" {
		template.Subject = pkix.Name{Country: []string{"US"}, Organization: []string{"SPIRE"}}
	}
	if len(r.DNSNames) > 0 {
		template.DNSNames = r.DNSNames
		template.Subject.CommonName = r.DNSNames[0]
	}
	template.AuthorityKeyId = ca.SubjectKeyId
	template.KeyUsage = x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement | x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	m.mu.Lock()
	signer := m.Keys.Get(active.KeyID)
	m.mu.Unlock()
	return create(template, ca, r.PublicKey, signer)
}

// ServerSVID is the SVID `spiffe://<trust domain>/spire/server` that the server presents on its endpoints.
func (m *Manager) ServerSVID(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	certificate := m.svid.certificate
	return &certificate, nil
}

// renewSVID signs a new server SVID where there is none, where half of its life is over, or where its CA is tainted.
func (m *Manager) renewSVID() error {
	m.mu.Lock()
	current := m.svid
	m.mu.Unlock()
	if current != nil && !m.tainted(current.issuer) {
		leaf := current.certificate.Leaf
		if !m.Now().After(leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)) {
			return nil
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
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
	m.mu.Lock()
	defer m.mu.Unlock()
	m.svid = &served{
		certificate: tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf},
		issuer:      hex.EncodeToString(leaf.AuthorityKeyId),
	}
	return nil
}

func (m *Manager) tainted(authorityID string) bool {
	for _, a := range m.Store.Read().Bundle(m.TrustDomain.Name()).X509Authorities {
		if a.Tainted && certificateAuthorityID(a.Asn1) == authorityID {
			return true
		}
	}
	return false
}

func (m *Manager) selfSign(signer crypto.Signer) (*x509.Certificate, error) {
	template, err := m.template(m.TrustDomain.ID(), signer.Public())
	if err != nil {
		return nil, err
	}
	template.NotAfter = m.Now().Add(m.CATTL)
	template.Subject = m.Subject(template.SerialNumber)
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return create(template, template, signer.Public(), signer)
}

func (m *Manager) template(id spiffeid.ID, public crypto.PublicKey) (*x509.Certificate, error) {
	serial, err := randomSerial()
	if err != nil {
		return nil, err
	}
	keyID, err := subjectKeyID(public)
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial, URIs: []*url.URL{id.URL()}, SubjectKeyId: keyID,
		BasicConstraintsValid: true, NotBefore: m.Now().Add(-backdate),
	}, nil
}

func create(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Subject returns the function that names CAs: the given attributes, and the CA's own serial number.
func Subject(country, organization []string, commonName string) func(*big.Int) CASubject {
	return func(serial *big.Int) CASubject {
		return pkix.Name{Country: country, Organization: organization, CommonName: commonName, SerialNumber: serial.String()}
	}
}

func subjectKeyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, err
	}
	sum := sha1.Sum(info.Key.Bytes) //nolint:gosec // see the import
	return sum[:], nil
}

func certificateAuthorityID(der []byte) string {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(certificate.SubjectKeyId)
}

// jwtKeyID derives the id of a JWT key from the key, so that it can be recognised after a restart.
func jwtKeyID(signer crypto.Signer) string {
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return strings.TrimRight(base32.StdEncoding.EncodeToString(sum[:20]), "=")
}

// State returns the slots of the X.509 authorities.
func (m *Manager) State() store.Pair { return m.Store.Read().X509 }
