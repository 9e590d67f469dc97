package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

// relationship is a federation relationship as flags or the JSON of -data have it.
type relationship struct {
	TrustDomain             string          `json:"trustDomain"`
	BundleEndpointURL       string          `json:"bundleEndpointURL"`
	BundleEndpointProfile   string          `json:"bundleEndpointProfile"`
	EndpointSPIFFEID        string          `json:"endpointSPIFFEID"`
	TrustDomainBundle       json.RawMessage `json:"trustDomainBundle"`
	TrustDomainBundleFormat string          `json:"trustDomainBundleFormat"`

	bundlePath, data string
}

func relationshipFlags(set *flag.FlagSet) *relationship {
	r := &relationship{}
	set.StringVar(&r.data, "data", "", "Path to a file containing federation relationships in JSON format (optional). If set to '-', read the JSON from stdin.")
	set.StringVar(&r.TrustDomain, "trustDomain", "", "Name of the trust domain to federate with (e.g., example.org)")
	set.StringVar(&r.BundleEndpointURL, "bundleEndpointURL", "", "URL of the SPIFFE bundle endpoint that provides the trust bundle (must use the HTTPS protocol)")
	set.StringVar(&r.BundleEndpointProfile, "bundleEndpointProfile", "", `Endpoint profile type (either "https_web" or "https_spiffe")`)
	set.StringVar(&r.EndpointSPIFFEID, "endpointSpiffeID", "", "SPIFFE ID of the SPIFFE bundle endpoint server. Only used for 'spiffe' profile.")
	set.StringVar(&r.bundlePath, "trustDomainBundlePath", "", "Path to the trust domain bundle data (optional).")
	set.StringVar(&r.TrustDomainBundleFormat, "trustDomainBundleFormat", "pem", `The format of the bundle data (optional). Either "pem" or "spiffe".`)
	return r
}

func (r *relationship) read(env Env) ([]*types.FederationRelationship, error) {
	if r.data == "" {
		one, err := r.message()
		return []*types.FederationRelationship{one}, err
	}
	if r.TrustDomain+r.BundleEndpointURL+r.BundleEndpointProfile+r.EndpointSPIFFEID+r.bundlePath != "" || r.TrustDomainBundleFormat != "pem" {
		return nil, errors.New("cannot use other flags to specify relationship fields when 'data' flag is set")
	}
	text, err := readInput(env, r.data, "-")
	if err != nil {
		return nil, err
	}
	var document struct {
		All []*relationship `json:"federationRelationships"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("failed to parse JSON: %w", err)
	}
	var all []*types.FederationRelationship
	for i, item := range document.All {
		one, err := item.message()
		if err != nil {
			return nil, fmt.Errorf("could not parse item %d: %w", i, err)
		}
		all = append(all, one)
	}
	return all, nil
}

func (r *relationship) message() (*types.FederationRelationship, error) {
	switch {
	case r.TrustDomain == "":
		return nil, errors.New("trust domain is required")
	case r.BundleEndpointURL == "":
		return nil, errors.New("bundle endpoint URL is required")
	}
	m := &types.FederationRelationship{TrustDomain: r.TrustDomain, BundleEndpointUrl: r.BundleEndpointURL}
	bundleDomain := r.TrustDomain
	switch r.BundleEndpointProfile {
	case "https_web":
		m.BundleEndpointProfile = &types.FederationRelationship_HttpsWeb{HttpsWeb: &types.HTTPSWebProfile{}}
	case "https_spiffe":
		if r.EndpointSPIFFEID == "" {
			return nil, errors.New("endpoint SPIFFE ID is required if 'https_spiffe' endpoint profile is set")
		}
		id, err := spiffeid.FromString(r.EndpointSPIFFEID)
		if err != nil {
			return nil, fmt.Errorf("cannot parse bundle endpoint SPIFFE ID: %w", err)
		}
		// The bundle is read as that of the endpoint's trust domain; the server refuses it where the two differ.
		bundleDomain = id.TrustDomain().Name()
		m.BundleEndpointProfile = &types.FederationRelationship_HttpsSpiffe{HttpsSpiffe: &types.HTTPSSPIFFEProfile{EndpointSpiffeId: r.EndpointSPIFFEID}}
	default:
		return nil, fmt.Errorf("unknown bundle endpoint profile type: %q", r.BundleEndpointProfile)
	}
	var err error
	m.TrustDomainBundle, err = r.bundle(bundleDomain)
	return m, err
}

func (r *relationship) bundle(trustDomain string) (*types.Bundle, error) {
	if r.bundlePath != "" {
		data, err := os.ReadFile(r.bundlePath)
		if err != nil {
			return nil, fmt.Errorf("cannot read bundle file: %w", err)
		}
		bundle, err := parseBundle(data, r.TrustDomainBundleFormat, trustDomain)
		if err != nil {
			return nil, fmt.Errorf("cannot parse bundle file: %w", err)
		}
		return bundle, nil
	}
	if r.TrustDomainBundle == nil {
		return nil, nil
	}
	data := []byte(r.TrustDomainBundle)
	switch r.TrustDomainBundleFormat {
	case "spiffe":
	case "pem":
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return nil, fmt.Errorf("cannot parse bundle raw message: failed to unmarshal json: %w", err)
		}
		data = []byte(text)
	default:
		return nil, fmt.Errorf("cannot parse bundle raw message: bundle format %q is unsupported", r.TrustDomainBundleFormat)
	}
	bundle, err := parseBundle(data, r.TrustDomainBundleFormat, trustDomain)
	if err != nil {
		return nil, fmt.Errorf("cannot parse bundle raw message: %w", err)
	}
	return bundle, nil
}
