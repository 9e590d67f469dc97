// Package api serves SPIRE's own server API (github.com/spiffe/spire-api-sdk), as far as federation and
// registration need it, with SPIRE's refusals: the texts and codes are those of pkg/server/api and
// pkg/server/datastore/sqlstore of SPIRE 1.14. Calls of the rest of the API are answered "unimplemented".
package api

import (
	"errors"
	"fmt"

	"agentweave-mesh/rehearsal/spire/authority"
	"agentweave-mesh/rehearsal/spire/federation"
	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	localauthorityv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/localauthority/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	trustdomainv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/trustdomain/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// Service is what the API acts on.
type Service struct {
	TrustDomain spiffeid.TrustDomain
	Store       *store.Store
	Authorities *authority.Manager
	Poller      *federation.Poller
}

// Register adds the services to a gRPC server.
func (s *Service) Register(server *grpc.Server) {
	bundlev1.RegisterBundleServer(server, &bundles{Service: s})
	trustdomainv1.RegisterTrustDomainServer(server, &trustDomains{Service: s})
	entryv1.RegisterEntryServer(server, &entries{Service: s})
	localauthorityv1.RegisterLocalAuthorityServer(server, &localAuthorities{Service: s})
	svidv1.RegisterSVIDServer(server, &svids{Service: s})
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
}

// result is the status of one item of a batch: OK for nil, the code of a status error, else the given code.
func result(err error, otherwise codes.Code, doing string) *types.Status {
	if err == nil {
		return &types.Status{Code: int32(codes.OK), Message: "OK"}
	}
	code, text := otherwise, err.Error()
	if known, ok := status.FromError(err); ok {
		code, text = known.Code(), known.Message()
	}
	switch {
	case doing == "":
	case code == codes.NotFound: // SPIRE keeps the inner cause of these to itself
		text = doing
	default:
		text = doing + ": " + text
	}
	return &types.Status{Code: int32(code), Message: text}
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

var errBundleNotFound = status.Error(codes.NotFound, "bundle not found")

// memberID checks an id of the server's own trust domain, which has a path.
func memberID(td spiffeid.TrustDomain, p *types.SPIFFEID, what string) (spiffeid.ID, error) {
	if p == nil {
		return spiffeid.ID{}, errors.New("request must specify SPIFFE ID")
	}
	idTD, err := spiffeid.TrustDomainFromString(p.TrustDomain)
	if err != nil {
		return spiffeid.ID{}, err
	}
	id, err := spiffeid.FromPath(idTD, p.Path)
	switch {
	case err != nil:
		return id, err
	case !id.MemberOf(td):
		return id, fmt.Errorf("%q is not a member of trust domain %q", id, td)
	case id.Path() == "":
		return id, fmt.Errorf("%q is not a %s trust domain %q; path is empty", id, what, td)
	}
	return id, nil
}
