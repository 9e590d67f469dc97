package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
)

// minted is the JSON of `x509 mint`: DER in base64, the key as PKCS #8.
type minted struct {
	X509SVID   [][]byte `json:"x509_svid"`
	PrivateKey []byte   `json:"private_key"`
	RootCAs    [][]byte `json:"root_cas"`
}

func mint(c *call) (answer, error) {
	id, err := spiffeid.FromString(c.flag("spiffeID"))
	if err != nil {
		return answer{}, err
	}
	ttl, err := time.ParseDuration(c.flag("ttl"))
	if err != nil {
		return answer{}, err
	}
	seconds := math.Ceil(ttl.Seconds())
	if seconds > math.MaxInt32 {
		return answer{}, fmt.Errorf("invalid value for TTL: %v is too long", ttl)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return answer{}, fmt.Errorf("unable to generate key: %w", err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{URIs: []*url.URL{id.URL()}, DNSNames: c.dnsNames}, key)
	if err != nil {
		return answer{}, fmt.Errorf("unable to generate CSR: %w", err)
	}
	reply, _, err := ask(c, "unable to mint SVID", svidv1.NewSVIDClient(c.conn).MintX509SVID, &svidv1.MintX509SVIDRequest{Csr: csr, Ttl: int32(seconds)})
	if err != nil {
		return answer{}, err
	}
	bundle, _, err := ask(c, "unable to get bundle", bundlev1.NewBundleClient(c.conn).GetBundle, &bundlev1.GetBundleRequest{})
	if err != nil {
		return answer{}, err
	}
	if end := time.Unix(reply.Svid.ExpiresAt, 0); time.Until(end) < ttl {
		fmt.Fprintf(os.Stderr, "X509-SVID lifetime was capped shorter than specified ttl; expires %q\n", end.UTC().Format(time.RFC3339))
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return answer{}, err
	}
	m := minted{X509SVID: reply.Svid.CertChain, PrivateKey: pkcs8}
	for _, authority := range bundle.X509Authorities {
		m.RootCAs = append(m.RootCAs, authority.Asn1)
	}
	if directory := c.flag("write"); directory != "" {
		return m.write(directory)
	}
	svid, private, roots := m.pem()
	return answer{value: m, text: fmt.Sprintf("X509-SVID:\n%s\nPrivate key:\n%s\nRoot CAs:\n%s\n", svid, private, roots)}, nil
}

// write puts the three parts into files, and tells of them in every output format.
func (m minted) write(directory string) (answer, error) {
	svid, private, roots := m.pem()
	var text strings.Builder
	for _, part := range []struct {
		name, short, file, data string
		mode                    os.FileMode
	}{
		{"X509-SVID", "SVID", "svid.pem", svid, 0o644},
		{"Private key", "key", "key.pem", private, 0o600},
		{"Root CAs", "bundle", "bundle.pem", roots, 0o644},
	} {
		path := filepath.Join(directory, part.file)
		if err := os.WriteFile(path, []byte(part.data), part.mode); err != nil {
			return answer{}, fmt.Errorf("unable to write %s: %w", part.short, err)
		}
		fmt.Fprintf(&text, "%s written to %s\n", part.name, path)
	}
	return answer{text: text.String()}, nil
}

func (m minted) pem() (svid, private, roots string) {
	blocks := func(kind string, all ...[]byte) string {
		var text strings.Builder
		for _, der := range all {
			_ = pem.Encode(&text, &pem.Block{Type: kind, Bytes: der}) // a builder takes everything
		}
		return text.String()
	}
	return blocks("CERTIFICATE", m.X509SVID...), blocks("PRIVATE KEY", m.PrivateKey), blocks("CERTIFICATE", m.RootCAs...)
}
