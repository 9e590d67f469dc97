// Package federation serves the server's own bundle (profile https_spiffe) and keeps the bundles of
// federated trust domains up to date from theirs.
package federation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

// An endpoint that accepts and never answers must not hold a poll for ever.
const fetchTimeout = 20 * time.Second

// fetch gets the bundle of a relationship from its live endpoint, which it authenticates with the stored bundle.
func fetch(ctx context.Context, state *store.State, relationship *types.FederationRelationship) (*spiffebundle.Bundle, error) {
	td, err := spiffeid.TrustDomainFromString(relationship.TrustDomain)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	if profile := relationship.GetHttpsSpiffe(); profile != nil {
		id, err := spiffeid.FromString(profile.EndpointSpiffeId)
		if err != nil {
			return nil, err
		}
		stored := state.Bundle(id.TrustDomain().Name())
		if stored == nil {
			return nil, errors.New("can't perform SPIFFE Authentication: local copy of bundle not found")
		}
		known, err := FromProto(stored)
		if err != nil {
			return nil, err
		}
		source := x509bundle.FromX509Authorities(id.TrustDomain(), known.X509Authorities())
		transport.TLSClientConfig = tlsconfig.TLSClientConfig(source, tlsconfig.AuthorizeID(id))
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	bundle, err := get(ctx, &http.Client{Transport: transport}, td, relationship.BundleEndpointUrl)
	if err != nil {
		return nil, fmt.Errorf("failed to fetch federated bundle from endpoint: %w", err)
	}
	return bundle, nil
}

func get(ctx context.Context, client *http.Client, td spiffeid.TrustDomain, url string) (*spiffebundle.Bundle, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("failed to fetch bundle: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("failed to fetch bundle: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1024))
		return nil, fmt.Errorf("unexpected status %d fetching bundle: %s", response.StatusCode, text)
	}
	return spiffebundle.Read(td, response.Body)
}
