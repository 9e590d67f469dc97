package api

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

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

func (s *bundles) GetBundle(context.Context, *bundlev1.GetBundleRequest) (*types.Bundle, error) {
	return s.Store.Read().Bundle(s.TrustDomain.Name()), nil
}

func (s *bundles) ListFederatedBundles(context.Context, *bundlev1.ListFederatedBundlesRequest) (*bundlev1.ListFederatedBundlesResponse, error) {
	foreign := slices.DeleteFunc(s.Store.Read().Bundles, func(b *types.Bundle) bool { return b.TrustDomain == s.TrustDomain.Name() })
	return &bundlev1.ListFederatedBundlesResponse{Bundles: foreign}, nil
}

func (s *bundles) GetFederatedBundle(_ context.Context, request *bundlev1.GetFederatedBundleRequest) (*types.Bundle, error) {
	td, err := s.foreign(request.TrustDomain, "getting a federated bundle for the server's own trust domain is not allowed")
	if err != nil {
		return nil, err
	}
	bundle := s.Store.Read().Bundle(td.Name())
	if bundle == nil {
		return nil, errBundleNotFound
	}
	return bundle, nil
}

func (s *bundles) BatchSetFederatedBundle(_ context.Context, request *bundlev1.BatchSetFederatedBundleRequest) (*bundlev1.BatchSetFederatedBundleResponse, error) {
	response := &bundlev1.BatchSetFederatedBundleResponse{}
	for _, given := range request.Bundle {
		bundle, err := s.set(given)
		response.Results = append(response.Results, &bundlev1.BatchSetFederatedBundleResponse_Result{
			Status: result(err, codes.Internal, ""), Bundle: bundle,
		})
	}
	return response, nil
}

func (s *bundles) set(given *types.Bundle) (*types.Bundle, error) {
	td, err := s.foreign(given.TrustDomain, "setting a federated bundle for the server's own trust domain is not allowed")
	if err != nil {
		return nil, err
	}
	bundle, err := checkBundle(given, td)
	if err != nil {
		return nil, invalid("failed to convert bundle: %v", err)
	}
	err = s.Store.Update(func(state *store.State) error {
		state.SetBundle(bundle)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("failed to set bundle: %w", err)
	}
	return bundle, nil
}

func (s *bundles) BatchDeleteFederatedBundle(_ context.Context, request *bundlev1.BatchDeleteFederatedBundleRequest) (*bundlev1.BatchDeleteFederatedBundleResponse, error) {
	response := &bundlev1.BatchDeleteFederatedBundleResponse{}
	for _, name := range request.TrustDomains {
		response.Results = append(response.Results, &bundlev1.BatchDeleteFederatedBundleResponse_Result{
			Status: result(s.delete(name, request.Mode), codes.Internal, ""), TrustDomain: name,
		})
	}
	return response, nil
}

func (s *bundles) delete(name string, mode bundlev1.BatchDeleteFederatedBundleRequest_Mode) error {
	td, err := s.foreign(name, "removing the bundle for the server trust domain is not allowed")
	if err != nil {
		return err
	}
	return s.Store.Update(func(state *store.State) error {
		bundle := state.Bundle(td.Name())
		if bundle == nil {
			return errBundleNotFound
		}
		federated := func(e *types.Entry) bool { return slices.Contains(e.FederatesWith, td.Name()) }
		switch mode {
		case bundlev1.BatchDeleteFederatedBundleRequest_DELETE:
			state.Entries = slices.DeleteFunc(state.Entries, federated)
		case bundlev1.BatchDeleteFederatedBundleRequest_DISSOCIATE:
			for _, e := range state.Entries {
				e.FederatesWith = slices.DeleteFunc(e.FederatesWith, func(name string) bool { return name == td.Name() })
			}
		default:
			count := 0
			for _, e := range state.Entries {
				if federated(e) {
					count++
				}
			}
			if count > 0 {
				return status.Errorf(codes.FailedPrecondition, "failed to delete federated bundle: datastore-sql: cannot delete bundle; federated with %d registration entries", count)
			}
		}
		state.Bundles = slices.DeleteFunc(state.Bundles, func(b *types.Bundle) bool { return b == bundle })
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
func checkBundle(given *types.Bundle, td spiffeid.TrustDomain) (*types.Bundle, error) {
	bundle := &types.Bundle{TrustDomain: td.Name(), RefreshHint: given.RefreshHint, SequenceNumber: given.SequenceNumber}
	for _, authority := range given.X509Authorities {
		if _, err := x509.ParseCertificates(authority.Asn1); err != nil {
			return nil, fmt.Errorf("unable to parse X.509 authority: %w", err)
		}
		bundle.X509Authorities = append(bundle.X509Authorities, &types.X509Certificate{Asn1: authority.Asn1})
	}
	for _, key := range given.JwtAuthorities {
		_, err := x509.ParsePKIXPublicKey(key.PublicKey)
		if err == nil && key.KeyId == "" {
			err = errors.New("missing key ID")
		}
		if err != nil {
			return nil, fmt.Errorf("unable to parse JWT authority: %w", err)
		}
		bundle.JwtAuthorities = append(bundle.JwtAuthorities, &types.JWTKey{PublicKey: key.PublicKey, KeyId: key.KeyId, ExpiresAt: key.ExpiresAt})
	}
	return bundle, nil
}
