package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	trustdomainv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/trustdomain/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func federationCreate(c *call) (answer, error) {
	given, err := readRelationships(c.flag("data"))
	if err != nil {
		return answer{}, err
	}
	request := &trustdomainv1.BatchCreateFederationRelationshipRequest{FederationRelationships: given}
	reply, a, err := ask(c, "request failed", trustdomainv1.NewTrustDomainClient(c.conn).BatchCreateFederationRelationship, request)
	return many(a, reply.GetResults(), given, "create", "federation relationship", "federation relationships"), err
}

func federationUpdate(c *call) (answer, error) {
	given, err := readRelationships(c.flag("data"))
	if err != nil {
		return answer{}, err
	}
	request := &trustdomainv1.BatchUpdateFederationRelationshipRequest{FederationRelationships: given}
	reply, a, err := ask(c, "request failed", trustdomainv1.NewTrustDomainClient(c.conn).BatchUpdateFederationRelationship, request)
	return many(a, reply.GetResults(), given, "update", "federation relationship", "federation relationships"), err
}

func federationShow(c *call) (answer, error) {
	request := &trustdomainv1.GetFederationRelationshipRequest{TrustDomain: c.flag("trustDomain")}
	_, a, err := ask(c, "error showing federation relationship", trustdomainv1.NewTrustDomainClient(c.conn).GetFederationRelationship, request)
	return a, err
}

func federationList(c *call) (answer, error) {
	request := &trustdomainv1.ListFederationRelationshipsRequest{}
	_, a, err := ask(c, "error listing federation relationship", trustdomainv1.NewTrustDomainClient(c.conn).ListFederationRelationships, request)
	return a, err
}

func federationRefresh(c *call) (answer, error) {
	id := c.flag("id")
	_, err := trustdomainv1.NewTrustDomainClient(c.conn).RefreshBundle(c.ctx, &trustdomainv1.RefreshBundleRequest{TrustDomain: id})
	switch status.Code(err) {
	case codes.OK:
		return answer{message: &types.Status{Message: "OK"}, text: "Bundle refreshed\n"}, nil
	case codes.NotFound:
		return answer{}, fmt.Errorf("there is no federation relationship with trust domain %q", id)
	default:
		return answer{}, fmt.Errorf("failed to refresh bundle: %w", err)
	}
}

func federationDelete(c *call) (answer, error) {
	const failing = "failed to delete federation relationship"
	request := &trustdomainv1.BatchDeleteFederationRelationshipRequest{TrustDomains: []string{c.flag("id")}}
	reply, a, err := ask(c, failing, trustdomainv1.NewTrustDomainClient(c.conn).BatchDeleteFederationRelationship, request)
	if err == nil {
		r := reply.Results[0]
		a.text, a.failed = "federation relationship deleted.\n", one(r.Status, fmt.Sprintf("%s %q", failing, r.TrustDomain))
	}
	return a, err
}

// relationship is a federation relationship as the JSON of -data has it.
type relationship struct {
	TrustDomain             string          `json:"trustDomain"`
	BundleEndpointURL       string          `json:"bundleEndpointURL"`
	BundleEndpointProfile   string          `json:"bundleEndpointProfile"`
	EndpointSPIFFEID        string          `json:"endpointSPIFFEID"`
	TrustDomainBundle       json.RawMessage `json:"trustDomainBundle"`
	TrustDomainBundleFormat string          `json:"trustDomainBundleFormat"`
}

func readRelationships(path string) ([]*types.FederationRelationship, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	var document struct {
		All []relationship `json:"federationRelationships"`
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
	case r.BundleEndpointProfile != "https_spiffe":
		return nil, fmt.Errorf("unknown bundle endpoint profile type: %q", r.BundleEndpointProfile)
	case r.EndpointSPIFFEID == "":
		return nil, errors.New("endpoint SPIFFE ID is required if 'https_spiffe' endpoint profile is set")
	}
	id, err := spiffeid.FromString(r.EndpointSPIFFEID)
	if err != nil {
		return nil, fmt.Errorf("cannot parse bundle endpoint SPIFFE ID: %w", err)
	}
	m := &types.FederationRelationship{TrustDomain: r.TrustDomain, BundleEndpointUrl: r.BundleEndpointURL}
	m.BundleEndpointProfile = &types.FederationRelationship_HttpsSpiffe{HttpsSpiffe: &types.HTTPSSPIFFEProfile{EndpointSpiffeId: r.EndpointSPIFFEID}}
	if r.TrustDomainBundle == nil {
		return m, nil
	}
	if r.TrustDomainBundleFormat != "spiffe" {
		return nil, fmt.Errorf("cannot parse bundle raw message: bundle format %q is unsupported", r.TrustDomainBundleFormat)
	}
	// The bundle is read as that of the endpoint's trust domain; the server refuses it where the two differ.
	if m.TrustDomainBundle, err = parseBundle(r.TrustDomainBundle, "spiffe", id.TrustDomain().Name()); err != nil {
		return nil, fmt.Errorf("cannot parse bundle raw message: %w", err)
	}
	return m, nil
}
