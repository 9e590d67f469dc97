package api

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	trustdomainv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/trustdomain/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

type trustDomains struct {
	trustdomainv1.UnimplementedTrustDomainServer
	*Service
}

func (s *trustDomains) ListFederationRelationships(context.Context, *trustdomainv1.ListFederationRelationshipsRequest) (*trustdomainv1.ListFederationRelationshipsResponse, error) {
	state := s.Store.Read()
	response := &trustdomainv1.ListFederationRelationshipsResponse{}
	for _, r := range state.Relationships {
		response.FederationRelationships = append(response.FederationRelationships, withBundle(state, r))
	}
	return response, nil
}

func (s *trustDomains) GetFederationRelationship(_ context.Context, request *trustdomainv1.GetFederationRelationshipRequest) (*types.FederationRelationship, error) {
	td, err := spiffeid.TrustDomainFromString(request.TrustDomain)
	if err != nil {
		return nil, invalid("failed to parse trust domain: %v", err)
	}
	state := s.Store.Read()
	r := state.Relationship(td.Name())
	if r == nil {
		return nil, status.Error(codes.NotFound, "federation relationship does not exist")
	}
	return withBundle(state, r), nil
}

// withBundle adds the stored bundle, as answers have it; the state keeps it apart.
func withBundle(state *store.State, r *types.FederationRelationship) *types.FederationRelationship {
	full := proto.Clone(r).(*types.FederationRelationship)
	full.TrustDomainBundle = state.Bundle(r.TrustDomain)
	return full
}

func (s *trustDomains) BatchCreateFederationRelationship(_ context.Context, request *trustdomainv1.BatchCreateFederationRelationshipRequest) (*trustdomainv1.BatchCreateFederationRelationshipResponse, error) {
	response := &trustdomainv1.BatchCreateFederationRelationshipResponse{}
	for _, given := range request.FederationRelationships {
		created, err := s.create(given)
		response.Results = append(response.Results, &trustdomainv1.BatchCreateFederationRelationshipResponse_Result{
			Status: result(err, codes.Internal, ""), FederationRelationship: created,
		})
	}
	s.Poller.Reload()
	return response, nil
}

func (s *trustDomains) create(given *types.FederationRelationship) (*types.FederationRelationship, error) {
	r, bundle, err := checkRelationship(given)
	if err != nil {
		return nil, invalid("failed to convert federation relationship: %v", err)
	}
	if r.TrustDomain == s.TrustDomain.Name() {
		return nil, invalid("unable to create federation relationship for server trust domain")
	}
	err = s.Store.Update(func(state *store.State) error {
		if state.Relationship(r.TrustDomain) != nil {
			return errors.New("failed to create federation relationship: datastore-sql: UNIQUE constraint failed: federated_trust_domains.trust_domain")
		}
		if bundle != nil {
			state.SetBundle(bundle)
		}
		state.Relationships = append(state.Relationships, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	created := proto.Clone(r).(*types.FederationRelationship)
	created.TrustDomainBundle = bundle
	return created, nil
}

func (s *trustDomains) BatchUpdateFederationRelationship(_ context.Context, request *trustdomainv1.BatchUpdateFederationRelationshipRequest) (*trustdomainv1.BatchUpdateFederationRelationshipResponse, error) {
	if request.InputMask != nil {
		return nil, status.Error(codes.Unimplemented, "the stand-in has no input mask")
	}
	response := &trustdomainv1.BatchUpdateFederationRelationshipResponse{}
	for _, given := range request.FederationRelationships {
		updated, err := s.update(given)
		response.Results = append(response.Results, &trustdomainv1.BatchUpdateFederationRelationshipResponse_Result{
			Status: result(err, codes.Internal, ""), FederationRelationship: updated,
		})
	}
	s.Poller.Reload()
	return response, nil
}

func (s *trustDomains) update(given *types.FederationRelationship) (*types.FederationRelationship, error) {
	r, bundle, err := checkRelationship(given)
	if err != nil {
		return nil, invalid("failed to convert federation relationship: %v", err)
	}
	var updated *types.FederationRelationship
	err = s.Store.Update(func(state *store.State) error {
		i := slices.IndexFunc(state.Relationships, func(known *types.FederationRelationship) bool { return known.TrustDomain == r.TrustDomain })
		if i < 0 {
			return errors.New("failed to update federation relationship: unable to fetch federation relationship: record not found")
		}
		if bundle != nil {
			state.SetBundle(bundle)
		}
		state.Relationships[i] = r
		updated = withBundle(state, r)
		return nil
	})
	return updated, err
}

func (s *trustDomains) BatchDeleteFederationRelationship(_ context.Context, request *trustdomainv1.BatchDeleteFederationRelationshipRequest) (*trustdomainv1.BatchDeleteFederationRelationshipResponse, error) {
	response := &trustdomainv1.BatchDeleteFederationRelationshipResponse{}
	for _, name := range request.TrustDomains {
		td, err := s.delete(name)
		response.Results = append(response.Results, &trustdomainv1.BatchDeleteFederationRelationshipResponse_Result{
			Status: result(err, codes.Internal, ""), TrustDomain: td,
		})
	}
	s.Poller.Reload()
	return response, nil
}

func (s *trustDomains) delete(name string) (string, error) {
	if name == "" {
		return name, invalid("missing trust domain")
	}
	td, err := spiffeid.TrustDomainFromString(name)
	if err != nil {
		return name, invalid("failed to parse trust domain: %v", err)
	}
	return td.Name(), s.Store.Update(func(state *store.State) error {
		r := state.Relationship(td.Name())
		if r == nil {
			return status.Error(codes.NotFound, "federation relationship not found")
		}
		state.Relationships = slices.DeleteFunc(state.Relationships, func(other *types.FederationRelationship) bool { return other == r })
		return nil
	})
}

func (s *trustDomains) RefreshBundle(ctx context.Context, request *trustdomainv1.RefreshBundleRequest) (*emptypb.Empty, error) {
	td, err := spiffeid.TrustDomainFromString(request.TrustDomain)
	if err != nil {
		return nil, invalid("failed to parse trust domain: %v", err)
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
func checkRelationship(given *types.FederationRelationship) (*types.FederationRelationship, *types.Bundle, error) {
	td, err := spiffeid.TrustDomainFromString(given.TrustDomain)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to parse trust domain: %w", err)
	}
	endpoint, err := url.Parse(given.BundleEndpointUrl)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("failed to parse bundle endpoint URL: %w", err)
	case endpoint.Scheme != "https":
		return nil, nil, errors.New("bundle endpoint URL must use the https scheme")
	case endpoint.Host == "":
		return nil, nil, errors.New("bundle endpoint URL must specify the host")
	case endpoint.User != nil:
		return nil, nil, errors.New("bundle endpoint URL must not contain user info")
	}
	r := &types.FederationRelationship{TrustDomain: td.Name(), BundleEndpointUrl: endpoint.String(), BundleEndpointProfile: given.BundleEndpointProfile}
	switch given.BundleEndpointProfile.(type) {
	case *types.FederationRelationship_HttpsSpiffe:
		if _, err := spiffeid.FromString(given.GetHttpsSpiffe().GetEndpointSpiffeId()); err != nil {
			return nil, nil, fmt.Errorf("failed to parse endpoint SPIFFE ID: %w", err)
		}
	case *types.FederationRelationship_HttpsWeb:
	default:
		return nil, nil, fmt.Errorf("unsupported bundle endpoint profile type: %T", given.BundleEndpointProfile)
	}
	if given.TrustDomainBundle == nil {
		return r, nil, nil
	}
	bundleTD, err := spiffeid.TrustDomainFromString(given.TrustDomainBundle.TrustDomain)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to parse bundle: invalid trust domain: %w", err)
	}
	bundle, err := checkBundle(given.TrustDomainBundle, bundleTD)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to parse bundle: %w", err)
	}
	if bundleTD != td {
		return nil, nil, fmt.Errorf("trust domain bundle (%q) must match the trust domain of the federation relationship (%q)", given.TrustDomainBundle.TrustDomain, td)
	}
	return r, bundle, nil
}
