// Package probe looks at a bundle endpoint as a peer does, with the SPIFFE project's own library alone:
// it shares no code with the stand-in, so that the stand-in is not only in agreement with itself.
package probe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Report is what the endpoint served.
type Report struct {
	TrustDomain string `json:"trust_domain"`
	// Sequence and RefreshHintSeconds are 0 where the bundle has none.
	Sequence           uint64      `json:"sequence"`
	RefreshHintSeconds int64       `json:"refresh_hint_seconds"`
	X509Authorities    []Authority `json:"x509_authorities"`
	// Digest of the X.509 authorities that were served: see Digest.
	Digest string `json:"digest"`
}

// Authority is one X.509 authority of the bundle.
type Authority struct {
	Subject string `json:"subject"`
	// NotAfter in RFC 3339, UTC.
	NotAfter time.Time `json:"not_after"`
}

// Fetch gets the bundle at url. The endpoint has to present the SPIFFE id under an authority of the
// known bundle (SPIFFE JSON form, of the id's trust domain); the answer has to be a bundle of that trust domain.
func Fetch(ctx context.Context, url string, id spiffeid.ID, known []byte) (*Report, error) {
	trusted, err := spiffebundle.Parse(id.TrustDomain(), known)
	if err == nil && trusted.X509Bundle().Empty() {
		err = errors.New("it has no X.509 authority")
	}
	if err != nil {
		return nil, fmt.Errorf("the bundle to authenticate with: %w", err)
	}
	bundle, err := federation.FetchBundle(ctx, id.TrustDomain(), url, federation.WithSPIFFEAuth(trusted, id))
	if err != nil {
		return nil, err
	}
	report := &Report{TrustDomain: bundle.TrustDomain().Name(), Digest: Digest(bundle.X509Authorities())}
	report.Sequence, _ = bundle.SequenceNumber()
	hint, _ := bundle.RefreshHint()
	report.RefreshHintSeconds = int64(hint.Seconds())
	for _, certificate := range bundle.X509Authorities() {
		report.X509Authorities = append(report.X509Authorities, Authority{certificate.Subject.String(), certificate.NotAfter.UTC()})
	}
	return report, nil
}

// Digest is the project's short name for a bundle: the hex SHA-256 over its X.509 authorities in DER form,
// sorted by their bytes and concatenated. Order in the document, JWT keys, hint and sequence do not change it.
func Digest(authorities []*x509.Certificate) string {
	var ders [][]byte
	for _, certificate := range authorities {
		ders = append(ders, certificate.Raw)
	}
	slices.SortFunc(ders, bytes.Compare)
	sum := sha256.Sum256(slices.Concat(ders...))
	return hex.EncodeToString(sum[:])
}
