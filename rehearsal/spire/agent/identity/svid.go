package identity

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/protobuf/proto"
)

// RetryInterval is how long after a failure the server is asked again to sign.
const RetryInterval = time.Second

// SVID is an X.509-SVID with its key.
type SVID struct {
	ID spiffeid.ID
	// Chain is the leaf and what leads to an authority, DER one after the other; Key is PKCS #8.
	Chain, Key []byte
	// Hint is the entry's hint to the workload what the SVID is for.
	Hint string

	entry             *types.Entry
	authority         string
	renewAt, notAfter time.Time
}

// svid returns the SVID of an entry and when to ask for the next one: at half of its life, or at once when its
// authority is tainted or gone. While the server does not answer, an SVID that is still good stays in use.
func (m *Manager) svid(ctx context.Context, k *knowledge, e *types.Entry) (*SVID, time.Time, error) {
	m.minting.Lock()
	defer m.minting.Unlock()
	have := m.issued[e.Id]
	good := have != nil && proto.Equal(have.entry, e) && k.trusts(have.authority) && time.Now().Before(have.notAfter)
	if good && time.Now().Before(have.renewAt) {
		return have, have.renewAt, nil
	}
	fresh, err := m.mint(ctx, e)
	if err == nil && !k.trusts(fresh.authority) {
		err = errors.New("its authority is not yet in the bundle that the agent has")
	}
	if err == nil {
		m.issued[e.Id] = fresh
		m.log.Info("SVID issued", "spiffe_id", fresh.ID.String(), "entry", e.Id, "expires_at", fresh.notAfter)
		return fresh, fresh.renewAt, nil
	}
	err = fmt.Errorf("SVID of entry %s: %w", e.Id, err)
	if !good {
		return nil, time.Time{}, err
	}
	m.log.Warn("SVID not renewed; the one in use is good until it expires", "error", err, "expires_at", have.notAfter)
	return have, time.Now().Add(RetryInterval), nil
}

func (m *Manager) mint(ctx context.Context, e *types.Entry) (*SVID, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	id, err := spiffeid.FromPath(m.trustDomain, e.SpiffeId.Path)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{URIs: []*url.URL{id.URL()}, DNSNames: e.DnsNames}, key)
	if err != nil {
		return nil, err
	}
	asked := time.Now()
	reply, err := svidv1.NewSVIDClient(m.conn).MintX509SVID(ctx, &svidv1.MintX509SVIDRequest{Csr: csr, Ttl: e.X509SvidTtl})
	if err != nil {
		return nil, err
	}
	chain := bytes.Join(reply.Svid.GetCertChain(), nil)
	certificates, err := x509.ParseCertificates(chain)
	if err != nil || len(certificates) == 0 {
		return nil, errors.Join(errors.New("the server's answer has no certificates"), err)
	}
	notAfter, last := certificates[0].NotAfter, certificates[len(certificates)-1]
	// Counted from now, as certificates are dated back; not at once, however little is left of the CA's own life.
	wait := max(notAfter.Sub(asked)/2, RetryInterval)
	return &SVID{
		ID: id, Chain: chain, Key: pkcs8, Hint: e.Hint, entry: e, authority: string(last.AuthorityKeyId),
		renewAt: asked.Add(wait), notAfter: notAfter,
	}, nil
}
