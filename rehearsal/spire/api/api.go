// Package api serves SPIRE's own server API (github.com/spiffe/spire-api-sdk), as far as federation,
// registration and the minting of SVIDs need it, with SPIRE's refusals: the texts and codes are those of pkg/server/api and
// pkg/server/datastore/sqlstore of SPIRE 1.14. Calls of the rest of the API are answered "unimplemented".
package api

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	svidv1.RegisterSVIDServer(server, &svids{Service: s})
	localauthorityv1.RegisterLocalAuthorityServer(server, &authority.Local{Manager: s.Authorities})
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
}

// each does a batch, item by item.
func each[G, R any](given []G, do func(G) R) []R {
	var results []R
	for _, item := range given {
		results = append(results, do(item))
	}
	return results
}

// sorted returns the values of a map in the order of their keys.
func sorted[K cmp.Ordered, V any](all map[K]V) []V {
	return each(slices.Sorted(maps.Keys(all)), func(key K) V { return all[key] })
}

// result is the status of one item of a batch: OK for nil, the code of a status error, else Internal.
func result(err error) *types.Status {
	if err == nil {
		return &types.Status{Code: int32(codes.OK), Message: "OK"}
	}
	known, ok := status.FromError(err)
	if !ok {
		known = status.New(codes.Internal, err.Error())
	}
	return &types.Status{Code: int32(known.Code()), Message: known.Message()}
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

// memberID checks an id of the server's own trust domain, which has a path.
func (s *Service) memberID(p *types.SPIFFEID, what string) (spiffeid.ID, error) {
	if p == nil {
		return spiffeid.ID{}, errors.New("request must specify SPIFFE ID")
	}
	td, err := spiffeid.TrustDomainFromString(p.TrustDomain)
	if err != nil {
		return spiffeid.ID{}, err
	}
	id, err := spiffeid.FromPath(td, p.Path)
	if err != nil {
		return id, err
	}
	return id, s.isMember(id, what)
}

// checkWorkloadID checks an id that a workload of the server's own trust domain may have.
func (s *Service) checkWorkloadID(p *types.SPIFFEID) error {
	id, err := s.memberID(p, "workload in")
	if err != nil {
		return err
	}
	return s.isWorkload(id)
}

func (s *Service) isMember(id spiffeid.ID, what string) error {
	switch {
	case !id.MemberOf(s.TrustDomain):
		return fmt.Errorf("%q is not a member of trust domain %q", id, s.TrustDomain)
	case id.Path() == "":
		return fmt.Errorf("%q is not a %s trust domain %q; path is empty", id, what, s.TrustDomain)
	}
	return nil
}

// isWorkload checks an id that a workload of the server's own trust domain may have.
func (s *Service) isWorkload(id spiffeid.ID) error {
	err := s.isMember(id, "workload in")
	if err == nil && strings.HasPrefix(id.Path()+"/", "/spire/") {
		err = fmt.Errorf("%q is not a workload in trust domain %q; path is in the reserved namespace", id, s.TrustDomain)
	}
	return err
}
