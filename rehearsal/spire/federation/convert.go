package federation

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

// FromProto turns a bundle of the API into one of go-spiffe. Zero for hint or sequence means that there is none.
func FromProto(bundle *types.Bundle) (*spiffebundle.Bundle, error) {
	td, err := spiffeid.TrustDomainFromString(bundle.TrustDomain)
	if err != nil {
		return nil, err
	}
	b := spiffebundle.New(td)
	for _, authority := range bundle.X509Authorities {
		certificate, err := x509.ParseCertificate(authority.Asn1)
		if err != nil {
			return nil, fmt.Errorf("unable to parse X.509 authority: %w", err)
		}
		b.AddX509Authority(certificate)
	}
	for _, key := range bundle.JwtAuthorities {
		public, err := x509.ParsePKIXPublicKey(key.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("unable to parse JWT authority: %w", err)
		}
		if err := b.AddJWTAuthority(key.KeyId, public); err != nil {
			return nil, err
		}
	}
	if bundle.RefreshHint > 0 {
		b.SetRefreshHint(time.Duration(bundle.RefreshHint) * time.Second)
	}
	if bundle.SequenceNumber > 0 {
		b.SetSequenceNumber(bundle.SequenceNumber)
	}
	return b, nil
}

// ToProto is the reverse of FromProto; a bundle document has no expiry of JWT keys.
func ToProto(b *spiffebundle.Bundle) (*types.Bundle, error) {
	bundle := &types.Bundle{TrustDomain: b.TrustDomain().Name()}
	for _, certificate := range b.X509Authorities() {
		bundle.X509Authorities = append(bundle.X509Authorities, &types.X509Certificate{Asn1: certificate.Raw})
	}
	keys := b.JWTAuthorities()
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		public, err := x509.MarshalPKIXPublicKey(keys[id])
		if err != nil {
			return nil, err
		}
		bundle.JwtAuthorities = append(bundle.JwtAuthorities, &types.JWTKey{PublicKey: public, KeyId: id})
	}
	if hint, ok := b.RefreshHint(); ok {
		bundle.RefreshHint = int64(hint.Seconds())
	}
	if sequence, ok := b.SequenceNumber(); ok {
		bundle.SequenceNumber = sequence
	}
	return bundle, nil
}
