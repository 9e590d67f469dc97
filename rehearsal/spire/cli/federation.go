package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	trustdomainv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/trustdomain/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// relationshipResult is one item of the answer to create or update.
type relationshipResult interface {
	GetStatus() *types.Status
	GetFederationRelationship() *types.FederationRelationship
}

func federationCreate(set *flag.FlagSet) action {
	given, out := relationshipFlags(set), outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		relationships, err := given.read(env)
		if err != nil {
			return err
		}
		answer, err := trustdomainv1.NewTrustDomainClient(c).BatchCreateFederationRelationship(ctx, &trustdomainv1.BatchCreateFederationRelationshipRequest{FederationRelationships: relationships})
		if err != nil {
			return fmt.Errorf("request failed: %w", err)
		}
		return out.print(env, answer, func() error { return printResults(env, "create", answer.Results, relationships) })
	}
}

func federationUpdate(set *flag.FlagSet) action {
	given, out := relationshipFlags(set), outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		relationships, err := given.read(env)
		if err != nil {
			return err
		}
		answer, err := trustdomainv1.NewTrustDomainClient(c).BatchUpdateFederationRelationship(ctx, &trustdomainv1.BatchUpdateFederationRelationshipRequest{FederationRelationships: relationships})
		if err != nil {
			return fmt.Errorf("request failed: %w", err)
		}
		return out.print(env, answer, func() error { return printResults(env, "update", answer.Results, relationships) })
	}
}

func printResults[R relationshipResult](env Env, verb string, results []R, asked []*types.FederationRelationship) error {
	anyFailed := false
	for i, r := range results {
		if failed(r.GetStatus()) {
			anyFailed = true
			fmt.Fprintln(env.Out)
			fmt.Fprintf(env.Err, "Failed to %s the following federation relationship %s:\n", verb, reason(r.GetStatus()))
			printRelationship(env.Err, asked[i])
			continue
		}
		fmt.Fprintln(env.Out)
		printRelationship(env.Out, r.GetFederationRelationship())
	}
	if anyFailed {
		return fmt.Errorf("failed to %s one or more federation relationships", verb)
	}
	return nil
}

func printRelationship(w io.Writer, r *types.FederationRelationship) {
	fmt.Fprintf(w, "Trust domain              : %s\n", r.TrustDomain)
	fmt.Fprintf(w, "Bundle endpoint URL       : %s\n", r.BundleEndpointUrl)
	if profile := r.GetHttpsSpiffe(); profile != nil {
		fmt.Fprintf(w, "Bundle endpoint profile   : https_spiffe\nEndpoint SPIFFE ID        : %s\n", profile.EndpointSpiffeId)
		return
	}
	fmt.Fprintln(w, "Bundle endpoint profile   : https_web")
}

func federationShow(set *flag.FlagSet) action {
	td := set.String("trustDomain", "", "The trust domain name of the federation relationship to show")
	out := outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		if *td == "" {
			return errors.New("a trust domain name is required")
		}
		r, err := trustdomainv1.NewTrustDomainClient(c).GetFederationRelationship(ctx, &trustdomainv1.GetFederationRelationshipRequest{TrustDomain: *td})
		if err != nil {
			return fmt.Errorf("error showing federation relationship: %w", err)
		}
		return out.print(env, r, func() error {
			fmt.Fprintf(env.Out, "Found a federation relationship with trust domain %s:\n\n", *td)
			printRelationship(env.Out, r)
			return nil
		})
	}
}

func federationList(set *flag.FlagSet) action {
	out := outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		all, err := trustdomainv1.NewTrustDomainClient(c).ListFederationRelationships(ctx, &trustdomainv1.ListFederationRelationshipsRequest{})
		if err != nil {
			return fmt.Errorf("error listing federation relationship: %w", err)
		}
		return out.print(env, all, func() error {
			n := len(all.FederationRelationships)
			fmt.Fprintf(env.Out, "Found %d %s\n", n, plural(n, "federation relationship", "federation relationships"))
			for _, r := range all.FederationRelationships {
				fmt.Fprintln(env.Out)
				printRelationship(env.Out, r)
			}
			return nil
		})
	}
}

func federationRefresh(set *flag.FlagSet) action {
	id := set.String("id", "", "SPIFFE ID of the trust domain")
	out := outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		if *id == "" {
			return errors.New("id is required")
		}
		_, err := trustdomainv1.NewTrustDomainClient(c).RefreshBundle(ctx, &trustdomainv1.RefreshBundleRequest{TrustDomain: *id})
		switch status.Code(err) {
		case codes.OK:
			return out.print(env, &types.Status{Message: "OK"}, func() error {
				fmt.Fprintln(env.Out, "Bundle refreshed")
				return nil
			})
		case codes.NotFound:
			return fmt.Errorf("there is no federation relationship with trust domain %q", *id)
		default:
			return fmt.Errorf("failed to refresh bundle: %w", err)
		}
	}
}

func federationDelete(set *flag.FlagSet) action {
	id := set.String("id", "", "SPIFFE ID of the trust domain")
	out := outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		if *id == "" {
			return errors.New("id is required")
		}
		answer, err := trustdomainv1.NewTrustDomainClient(c).BatchDeleteFederationRelationship(ctx, &trustdomainv1.BatchDeleteFederationRelationshipRequest{TrustDomains: []string{*id}})
		if err != nil {
			return fmt.Errorf("failed to delete federation relationship: %w", err)
		}
		return out.print(env, answer, func() error {
			if r := answer.Results[0]; failed(r.Status) {
				return fmt.Errorf("failed to delete federation relationship %q: %s", r.TrustDomain, r.Status.Message)
			}
			fmt.Fprintln(env.Out, "federation relationship deleted.")
			return nil
		})
	}
}
