package api

import (
	"context"
	"crypto/x509"
	"time"

	"agentweave-mesh/rehearsal/spire/authority"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type svids struct {
	svidv1.UnimplementedSVIDServer
	*Service
}

// MintX509SVID signs what an administrator asks for, without an entry. SPIRE checks DNS names more closely.
func (s *svids) MintX509SVID(_ context.Context, request *svidv1.MintX509SVIDRequest) (*svidv1.MintX509SVIDResponse, error) {
	id, csr, err := s.checkCSR(request.Csr)
	if err != nil {
		return nil, err
	}
	leaf, err := s.Authorities.SignX509SVID(authority.Request{
		ID: id, PublicKey: csr.PublicKey, TTL: time.Duration(request.Ttl) * time.Second, DNSNames: csr.DNSNames, Subject: csr.Subject,
	})
	if err != nil {
		return nil, status.Errorf(codes.Internal, "failed to sign X509-SVID: %v", err)
	}
	return &svidv1.MintX509SVIDResponse{Svid: &types.X509SVID{
		Id: &types.SPIFFEID{TrustDomain: id.TrustDomain().Name(), Path: id.Path()}, CertChain: [][]byte{leaf.Raw}, ExpiresAt: leaf.NotAfter.Unix(),
	}}, nil
}

func (s *svids) checkCSR(der []byte) (id spiffeid.ID, csr *x509.CertificateRequest, err error) {
	if len(der) == 0 {
		return id, nil, invalid("missing CSR")
	}
	if csr, err = x509.ParseCertificateRequest(der); err != nil {
		return id, nil, invalid("malformed CSR: %v", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return id, nil, invalid("failed to verify CSR signature: %v", err)
	}
	switch {
	case len(csr.URIs) == 0:
		return id, nil, invalid("CSR URI SAN is required")
	case len(csr.URIs) > 1:
		return id, nil, invalid("only one URI SAN is expected")
	}
	if id, err = spiffeid.FromURI(csr.URIs[0]); err == nil {
		err = s.isWorkload(id)
	}
	if err != nil {
		return id, nil, invalid("CSR URI SAN is invalid: %v", err)
	}
	return id, csr, nil
}
