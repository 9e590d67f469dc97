package api

import (
	"context"
	"maps"
	"slices"

	"agentweave-mesh/rehearsal/spire/federation"
	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type bundles struct {
	bundlev1.UnimplementedBundleServer
	*Service
}

var errBundleNotFound = status.Error(codes.NotFound, "bundle not found")

func (s *bundles) GetBundle(context.Context, *bundlev1.GetBundleRequest) (*types.Bundle, error) {
	return s.Store.Read().Bundles[s.TrustDomain.Name()], nil
}

func (s *bundles) ListFederatedBundles(context.Context, *bundlev1.ListFederatedBundlesRequest) (*bundlev1.ListFederatedBundlesResponse, error) {
	foreign := s.Store.Read().Bundles
	delete(foreign, s.TrustDomain.Name())
	return &bundlev1.ListFederatedBundlesResponse{Bundles: sorted(foreign)}, nil
}

func (s *bundles) GetFederatedBundle(_ context.Context, request *bundlev1.GetFederatedBundleRequest) (*types.Bundle, error) {
	td, err := s.foreign(request.TrustDomain, "getting a federated bundle for the server's own trust domain is not allowed")
	if err != nil {
		return nil, err
	}
	bundle := s.Store.Read().Bundles[td.Name()]
	if bundle == nil {
		return nil, errBundleNotFound
	}
	return bundle, nil
}

func (s *bundles) BatchSetFederatedBundle(_ context.Context, request *bundlev1.BatchSetFederatedBundleRequest) (*bundlev1.BatchSetFederatedBundleResponse, error) {
	results := each(request.Bundle, func(given *types.Bundle) *bundlev1.BatchSetFederatedBundleResponse_Result {
		bundle, err := s.set(given)
		return &bundlev1.BatchSetFederatedBundleResponse_Result{Status: result(err), Bundle: bundle}
	})
	return &bundlev1.BatchSetFederatedBundleResponse{Results: results}, nil
}

func (s *bundles) set(given *types.Bundle) (*types.Bundle, error) {
	td, err := s.foreign(given.TrustDomain, "setting a federated bundle for the server's own trust domain is not allowed")
	if err != nil {
		return nil, err
	}
	bundle, err := checkBundle(given)
	if err != nil {
		return nil, invalid("failed to convert bundle: %v", err)
	}
	return bundle, s.Store.Update(func(state *store.State) error {
		state.Bundles[td.Name()] = bundle
		return nil
	})
}

func (s *bundles) BatchDeleteFederatedBundle(_ context.Context, request *bundlev1.BatchDeleteFederatedBundleRequest) (*bundlev1.BatchDeleteFederatedBundleResponse, error) {
	results := each(request.TrustDomains, func(name string) *bundlev1.BatchDeleteFederatedBundleResponse_Result {
		return &bundlev1.BatchDeleteFederatedBundleResponse_Result{Status: result(s.delete(name, request.Mode)), TrustDomain: name}
	})
	return &bundlev1.BatchDeleteFederatedBundleResponse{Results: results}, nil
}

func (s *bundles) delete(name string, mode bundlev1.BatchDeleteFederatedBundleRequest_Mode) error {
	td, err := s.foreign(name, "removing the bundle for the server trust domain is not allowed")
	if err != nil {
		return err
	}
	return s.Store.Update(func(state *store.State) error {
		if state.Bundles[td.Name()] == nil {
			return errBundleNotFound
		}
		federated := maps.Clone(state.Entries)
		maps.DeleteFunc(federated, func(_ string, e *types.Entry) bool { return !slices.Contains(e.FederatesWith, td.Name()) })
		if len(federated) > 0 && mode == bundlev1.BatchDeleteFederatedBundleRequest_RESTRICT {
			return status.Errorf(codes.FailedPrecondition, "failed to delete federated bundle: datastore-sql: cannot delete bundle; federated with %d registration entries", len(federated))
		}
		for id, e := range federated {
			if mode == bundlev1.BatchDeleteFederatedBundleRequest_DELETE {
				delete(state.Entries, id)
			}
			e.FederatesWith = slices.DeleteFunc(e.FederatesWith, func(name string) bool { return name == td.Name() })
		}
		delete(state.Bundles, td.Name())
		return nil
	})
}

// foreign parses the name or id of a trust domain other than the server's own.
func (s *bundles) foreign(name, refusal string) (spiffeid.TrustDomain, error) {
	td, err := spiffeid.TrustDomainFromString(name)
	switch {
	case err != nil:
		return td, invalid("trust domain argument is not valid: %v", err)
	case td == s.TrustDomain:
		return td, invalid("%s", refusal)
	}
	return td, nil
}

// checkBundle returns a copy of a bundle as it may be stored: parseable keys, nothing tainted.
func checkBundle(given *types.Bundle) (*types.Bundle, error) {
	bundle, err := federation.FromProto(given)
	if err != nil {
		return nil, err
	}
	return federation.ToProto(bundle)
}
