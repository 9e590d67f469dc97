package api

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	trustdomainv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/trustdomain/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

type trustDomains struct {
	trustdomainv1.UnimplementedTrustDomainServer
	*Service
}

func (s *trustDomains) ListFederationRelationships(context.Context, *trustdomainv1.ListFederationRelationshipsRequest) (*trustdomainv1.ListFederationRelationshipsResponse, error) {
	state := s.Store.Read()
	all := each(sorted(state.Relationships), func(r store.Relationship) *types.FederationRelationship {
		return message(r, state.Bundles[r.TrustDomain])
	})
	return &trustdomainv1.ListFederationRelationshipsResponse{FederationRelationships: all}, nil
}

func (s *trustDomains) GetFederationRelationship(_ context.Context, request *trustdomainv1.GetFederationRelationshipRequest) (*types.FederationRelationship, error) {
	td, err := parseTrustDomain(request.TrustDomain)
	if err != nil {
		return nil, err
	}
	state := s.Store.Read()
	r, ok := state.Relationships[td.Name()]
	if !ok {
		return nil, status.Error(codes.NotFound, "federation relationship does not exist")
	}
	return message(r, state.Bundles[r.TrustDomain]), nil
}

func parseTrustDomain(name string) (spiffeid.TrustDomain, error) {
	td, err := spiffeid.TrustDomainFromString(name)
	if err != nil {
		err = invalid("failed to parse trust domain: %v", err)
	}
	return td, err
}

// message is a relationship as the API has it, with its bundle (nil for none).
func message(r store.Relationship, bundle *types.Bundle) *types.FederationRelationship {
	profile := &types.FederationRelationship_HttpsSpiffe{HttpsSpiffe: &types.HTTPSSPIFFEProfile{EndpointSpiffeId: r.EndpointID}}
	return &types.FederationRelationship{TrustDomain: r.TrustDomain, BundleEndpointUrl: r.URL, BundleEndpointProfile: profile, TrustDomainBundle: bundle}
}

func (s *trustDomains) BatchCreateFederationRelationship(_ context.Context, request *trustdomainv1.BatchCreateFederationRelationshipRequest) (*trustdomainv1.BatchCreateFederationRelationshipResponse, error) {
	defer s.Poller.Wake()
	results := each(request.FederationRelationships, func(given *types.FederationRelationship) *trustdomainv1.BatchCreateFederationRelationshipResponse_Result {
		created, err := s.save(given, func(r store.Relationship, known bool) error {
			switch {
			case r.TrustDomain == s.TrustDomain.Name():
				return invalid("unable to create federation relationship for server trust domain")
			case known:
				return errors.New("failed to create federation relationship: datastore-sql: UNIQUE constraint failed: federated_trust_domains.trust_domain")
			}
			return nil
		})
		return &trustdomainv1.BatchCreateFederationRelationshipResponse_Result{Status: result(err), FederationRelationship: created}
	})
	return &trustdomainv1.BatchCreateFederationRelationshipResponse{Results: results}, nil
}

func (s *trustDomains) BatchUpdateFederationRelationship(_ context.Context, request *trustdomainv1.BatchUpdateFederationRelationshipRequest) (*trustdomainv1.BatchUpdateFederationRelationshipResponse, error) {
	if request.InputMask != nil {
		return nil, status.Error(codes.Unimplemented, "the stand-in has no input mask")
	}
	results := each(request.FederationRelationships, func(given *types.FederationRelationship) *trustdomainv1.BatchUpdateFederationRelationshipResponse_Result {
		updated, err := s.save(given, func(_ store.Relationship, known bool) error {
			if !known {
				return errors.New("failed to update federation relationship: unable to fetch federation relationship: record not found")
			}
			return nil
		})
		return &trustdomainv1.BatchUpdateFederationRelationshipResponse_Result{Status: result(err), FederationRelationship: updated}
	})
	return &trustdomainv1.BatchUpdateFederationRelationshipResponse{Results: results}, nil
}

// save stores a relationship, and its bundle where one is given, unless allow refuses it.
func (s *trustDomains) save(given *types.FederationRelationship, allow func(r store.Relationship, known bool) error) (saved *types.FederationRelationship, err error) {
	r, bundle, err := checkRelationship(given)
	if err != nil {
		return nil, invalid("failed to convert federation relationship: %v", err)
	}
	err = s.Store.Update(func(state *store.State) error {
		_, known := state.Relationships[r.TrustDomain]
		if err := allow(r, known); err != nil {
			return err
		}
		if bundle != nil {
			state.Bundles[r.TrustDomain] = bundle
		}
		state.Relationships[r.TrustDomain] = r
		if known { // SPIRE answers a creation with the bundle that was given, an update with the one that is stored
			bundle = state.Bundles[r.TrustDomain]
		}
		saved = message(r, bundle)
		return nil
	})
	return saved, err
}

func (s *trustDomains) BatchDeleteFederationRelationship(_ context.Context, request *trustdomainv1.BatchDeleteFederationRelationshipRequest) (*trustdomainv1.BatchDeleteFederationRelationshipResponse, error) {
	results := each(request.TrustDomains, func(name string) *trustdomainv1.BatchDeleteFederationRelationshipResponse_Result {
		td, err := parseTrustDomain(name)
		if err == nil {
			name, err = td.Name(), s.delete(td)
		}
		return &trustdomainv1.BatchDeleteFederationRelationshipResponse_Result{Status: result(err), TrustDomain: name}
	})
	return &trustdomainv1.BatchDeleteFederationRelationshipResponse{Results: results}, nil
}

func (s *trustDomains) delete(td spiffeid.TrustDomain) error {
	return s.Store.Update(func(state *store.State) error {
		if _, ok := state.Relationships[td.Name()]; !ok {
			return status.Error(codes.NotFound, "federation relationship not found")
		}
		delete(state.Relationships, td.Name())
		return nil
	})
}

func (s *trustDomains) RefreshBundle(ctx context.Context, request *trustdomainv1.RefreshBundleRequest) (*emptypb.Empty, error) {
	td, err := parseTrustDomain(request.TrustDomain)
	if err != nil {
		return nil, err
	}
	managed, err := s.Poller.Refresh(ctx, td.Name())
	switch {
	case err != nil:
		return nil, status.Errorf(codes.Internal, "failed to refresh bundle: %v", err)
	case !managed:
		return nil, status.Errorf(codes.NotFound, "no relationship with trust domain %q", td)
	}
	return &emptypb.Empty{}, nil
}

// checkRelationship returns a relationship and its bundle (nil for none) as they may be stored.
func checkRelationship(given *types.FederationRelationship) (r store.Relationship, bundle *types.Bundle, err error) {
	td, err := spiffeid.TrustDomainFromString(given.TrustDomain)
	if err != nil {
		return r, nil, fmt.Errorf("failed to parse trust domain: %w", err)
	}
	endpoint, err := url.Parse(given.BundleEndpointUrl)
	switch {
	case err != nil:
		return r, nil, fmt.Errorf("failed to parse bundle endpoint URL: %w", err)
	case endpoint.Scheme != "https":
		return r, nil, errors.New("bundle endpoint URL must use the https scheme")
	case endpoint.Host == "":
		return r, nil, errors.New("bundle endpoint URL must specify the host")
	case endpoint.User != nil:
		return r, nil, errors.New("bundle endpoint URL must not contain user info")
	case given.GetHttpsWeb() != nil:
		return r, nil, errors.New("the stand-in has no endpoints of the profile https_web")
	}
	id, err := spiffeid.FromString(given.GetHttpsSpiffe().GetEndpointSpiffeId())
	if err != nil {
		return r, nil, fmt.Errorf("failed to parse endpoint SPIFFE ID: %w", err)
	}
	r = store.Relationship{TrustDomain: td.Name(), URL: endpoint.String(), EndpointID: id.String()}
	if given.TrustDomainBundle == nil {
		return r, nil, nil
	}
	if bundle, err = checkBundle(given.TrustDomainBundle); err != nil {
		return r, nil, fmt.Errorf("failed to parse bundle: %w", err)
	}
	if bundle.TrustDomain != td.Name() {
		return r, nil, fmt.Errorf("trust domain bundle (%q) must match the trust domain of the federation relationship (%q)", given.TrustDomainBundle.TrustDomain, td)
	}
	return r, bundle, nil
}
