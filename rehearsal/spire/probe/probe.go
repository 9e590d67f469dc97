// Package probe looks at a bundle endpoint as a peer does, with the SPIFFE project's own library alone:
// it shares no code with the stand-in, so that the stand-in is not only in agreement with itself.
package probe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
)

// Report is what the endpoint served.
type Report struct {
	TrustDomain string `json:"trust_domain"`
	EndpointID  string `json:"endpoint_id"`
	TLSVersion  string `json:"tls_version"`
	// Sequence and RefreshHintSeconds are 0 where the bundle has none.
	Sequence           uint64      `json:"sequence"`
	RefreshHintSeconds int64       `json:"refresh_hint_seconds"`
	X509Authorities    []Authority `json:"x509_authorities"`
	// JWTAuthorities are the key ids, sorted.
	JWTAuthorities []string `json:"jwt_authorities"`
	// Digest of the X.509 authorities that were served: see Digest.
	Digest string `json:"digest"`
	// KnownDigest is the Digest of the bundle the endpoint was authenticated with.
	KnownDigest string `json:"known_digest"`
	// ServedSHA256 is the hex SHA-256 of the document as it came, byte for byte.
	ServedSHA256 string `json:"served_sha256"`
}

// Authority is one X.509 authority of the bundle.
type Authority struct {
	Subject string `json:"subject"`
	// NotAfter in RFC 3339, UTC.
	NotAfter string `json:"not_after"`
	// SHA256 is the hex SHA-256 of the certificate in DER form.
	SHA256 string `json:"sha256"`
}

// The SPIFFE specification puts no limit on a bundle; this is far above any that is real.
const maxDocument = 4 << 20

// Fetch gets the bundle at url. The endpoint has to present the SPIFFE id under an authority of the
// known bundle (SPIFFE JSON form, of the id's trust domain); the answer has to be a bundle of that trust domain.
func Fetch(ctx context.Context, url string, id spiffeid.ID, known []byte) (*Report, error) {
	trusted, err := spiffebundle.Parse(id.TrustDomain(), known)
	if err != nil {
		return nil, fmt.Errorf("the bundle to authenticate with: %w", err)
	}
	if trusted.X509Bundle().Empty() {
		return nil, errors.New("the bundle to authenticate with has no X.509 authority")
	}
	transport := &http.Transport{TLSClientConfig: tlsconfig.TLSClientConfig(trusted.X509Bundle(), tlsconfig.AuthorizeID(id))}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	if request.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s: a bundle endpoint is an https URL", url)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	document, err := io.ReadAll(io.LimitReader(response.Body, maxDocument))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s: %.200s", url, response.Status, document)
	}
	served, err := spiffebundle.Parse(id.TrustDomain(), document)
	if err != nil {
		return nil, fmt.Errorf("what %s serves: %w", url, err)
	}
	report := describe(served)
	sum := sha256.Sum256(document)
	report.EndpointID = id.String()
	report.TLSVersion = tls.VersionName(response.TLS.Version)
	report.ServedSHA256 = hex.EncodeToString(sum[:])
	report.KnownDigest = Digest(trusted.X509Authorities())
	return report, nil
}

func describe(bundle *spiffebundle.Bundle) *Report {
	report := &Report{TrustDomain: bundle.TrustDomain().Name(), X509Authorities: []Authority{}, JWTAuthorities: []string{}}
	report.Sequence, _ = bundle.SequenceNumber()
	hint, _ := bundle.RefreshHint()
	report.RefreshHintSeconds = int64(hint.Seconds())
	for _, certificate := range bundle.X509Authorities() {
		sum := sha256.Sum256(certificate.Raw)
		report.X509Authorities = append(report.X509Authorities, Authority{
			Subject:  certificate.Subject.String(),
			NotAfter: certificate.NotAfter.UTC().Format(time.RFC3339),
			SHA256:   hex.EncodeToString(sum[:]),
		})
	}
	for id := range bundle.JWTAuthorities() {
		report.JWTAuthorities = append(report.JWTAuthorities, id)
	}
	slices.Sort(report.JWTAuthorities)
	report.Digest = Digest(bundle.X509Authorities())
	return report
}

// Digest is the project's short name for a bundle: the hex SHA-256 over its X.509 authorities in DER form,
// sorted by their bytes and concatenated. Order in the document, JWT keys, hint and sequence do not change it.
func Digest(authorities []*x509.Certificate) string {
	ders := make([][]byte, len(authorities))
	for i, certificate := range authorities {
		ders[i] = certificate.Raw
	}
	slices.SortFunc(ders, bytes.Compare)
	sum := sha256.Sum256(slices.Concat(ders...))
	return hex.EncodeToString(sum[:])
}
