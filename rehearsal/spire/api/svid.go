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

func (s *svids) MintX509SVID(_ context.Context, request *svidv1.MintX509SVIDRequest) (*svidv1.MintX509SVIDResponse, error) {
	if len(request.Csr) == 0 {
		return nil, invalid("missing CSR")
	}
	csr, err := x509.ParseCertificateRequest(request.Csr)
	if err != nil {
		return nil, invalid("malformed CSR: %v", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, invalid("failed to verify CSR signature: %v", err)
	}
	if len(csr.URIs) != 1 {
		return nil, invalid("only one URI SAN is expected")
	}
	uri, err := spiffeid.FromURI(csr.URIs[0])
	if err != nil {
		return nil, invalid("CSR URI SAN is invalid: %v", err)
	}
	id, err := workloadID(s.TrustDomain, &types.SPIFFEID{TrustDomain: uri.TrustDomain().Name(), Path: uri.Path()})
	if err != nil {
		return nil, invalid("CSR URI SAN is invalid: %v", err)
	}
	leaf, err := s.Authorities.SignX509SVID(authority.Request{
		ID: id, PublicKey: csr.PublicKey, TTL: time.Duration(request.Ttl) * time.Second, DNSNames: csr.DNSNames, Subject: csr.Subject,
	})
	if err != nil {
		return nil, status.Errorf(codes.Internal, "failed to sign X509-SVID: %v", err)
	}
	return &svidv1.MintX509SVIDResponse{Svid: &types.X509SVID{
		Id:        &types.SPIFFEID{TrustDomain: id.TrustDomain().Name(), Path: id.Path()},
		CertChain: [][]byte{leaf.Raw}, ExpiresAt: leaf.NotAfter.Unix(),
	}}, nil
}
