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
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
)

// An endpoint that accepts and never answers must not hold a poll for ever.
const fetchTimeout = 20 * time.Second

// fetch gets the bundle of a relationship from its live endpoint, which it authenticates with the
// stored bundle. go-spiffe's FetchBundle does the same with other error texts than SPIRE's.
func fetch(ctx context.Context, state *store.State, r store.Relationship) (*spiffebundle.Bundle, error) {
	id, err := spiffeid.FromString(r.EndpointID)
	if err != nil {
		return nil, err
	}
	stored := state.Bundles[id.TrustDomain().Name()]
	if stored == nil {
		return nil, errors.New("can't perform SPIFFE Authentication: local copy of bundle not found")
	}
	known, err := FromProto(stored)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig = tlsconfig.TLSClientConfig(known.X509Bundle(), tlsconfig.AuthorizeID(id))
	client := &http.Client{Transport: transport, Timeout: fetchTimeout}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, http.NoBody)
	if err != nil {
		return nil, err
	}
	const failing = "failed to fetch federated bundle from endpoint"
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: failed to fetch bundle: %w", failing, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1024))
		return nil, fmt.Errorf("%s: unexpected status %d fetching bundle: %s", failing, response.StatusCode, text)
	}
	td, err := spiffeid.TrustDomainFromString(r.TrustDomain)
	if err != nil {
		return nil, err
	}
	bundle, err := spiffebundle.Read(td, response.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", failing, err)
	}
	return bundle, nil
}
