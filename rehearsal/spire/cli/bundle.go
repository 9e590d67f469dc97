package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
)

func bundleShow(set *flag.FlagSet) action {
	format, out := formatFlag(set), outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		bundle, err := bundlev1.NewBundleClient(c).GetBundle(ctx, &bundlev1.GetBundleRequest{})
		if err != nil {
			return err
		}
		return out.print(env, bundle, func() error { return printBundle(env.Out, bundle, *format) })
	}
}

func bundleList(set *flag.FlagSet) action {
	id := set.String("id", "", "SPIFFE ID of the trust domain")
	format, out := formatFlag(set), outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		client := bundlev1.NewBundleClient(c)
		if *id != "" {
			bundle, err := client.GetFederatedBundle(ctx, &bundlev1.GetFederatedBundleRequest{TrustDomain: *id})
			if err != nil {
				return err
			}
			return out.print(env, bundle, func() error { return printBundle(env.Out, bundle, *format) })
		}
		all, err := client.ListFederatedBundles(ctx, &bundlev1.ListFederatedBundlesRequest{})
		if err != nil {
			return err
		}
		return out.print(env, all, func() error {
			for i, bundle := range all.Bundles {
				if i > 0 {
					fmt.Fprintln(env.Out)
				}
				const stars = "****************************************"
				fmt.Fprintf(env.Out, "%s\n* %s\n%s\n", stars, bundle.TrustDomain, stars)
				if err := printBundle(env.Out, bundle, *format); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func bundleSet(set *flag.FlagSet) action {
	id := set.String("id", "", "SPIFFE ID of the trust domain")
	path := set.String("path", "", "Path to the bundle data")
	format, out := formatFlag(set), outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		if *id == "" {
			return errors.New("id flag is required")
		}
		kind, err := checkFormat(*format)
		if err != nil {
			return err
		}
		data, err := readInput(env, *path, "")
		if err != nil {
			return fmt.Errorf("unable to load bundle data: %w", err)
		}
		bundle, err := parseBundle(data, kind, *id)
		if err != nil {
			return err
		}
		answer, err := bundlev1.NewBundleClient(c).BatchSetFederatedBundle(ctx, &bundlev1.BatchSetFederatedBundleRequest{Bundle: []*types.Bundle{bundle}})
		if err != nil {
			return fmt.Errorf("failed to set federated bundle: %w", err)
		}
		return out.print(env, answer, func() error {
			if s := answer.Results[0].Status; failed(s) {
				return fmt.Errorf("failed to set federated bundle: %s", s.Message)
			}
			fmt.Fprintln(env.Out, "bundle set.")
			return nil
		})
	}
}

func bundleDelete(set *flag.FlagSet) action {
	id := set.String("id", "", "SPIFFE ID of the trust domain")
	mode := set.String("mode", "restrict", "Deletion mode: one of restrict, delete, or dissociate")
	out := outputFlag(set)
	modes := map[string]bundlev1.BatchDeleteFederatedBundleRequest_Mode{
		"":           bundlev1.BatchDeleteFederatedBundleRequest_RESTRICT,
		"restrict":   bundlev1.BatchDeleteFederatedBundleRequest_RESTRICT,
		"dissociate": bundlev1.BatchDeleteFederatedBundleRequest_DISSOCIATE,
		"delete":     bundlev1.BatchDeleteFederatedBundleRequest_DELETE,
	}
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		if *id == "" {
			return errors.New("id is required")
		}
		chosen, ok := modes[*mode]
		if !ok {
			return fmt.Errorf("unsupported mode %q", *mode)
		}
		answer, err := bundlev1.NewBundleClient(c).BatchDeleteFederatedBundle(ctx, &bundlev1.BatchDeleteFederatedBundleRequest{Mode: chosen, TrustDomains: []string{*id}})
		if err != nil {
			return fmt.Errorf("failed to delete federated bundle: %w", err)
		}
		return out.print(env, answer, func() error {
			if r := answer.Results[0]; failed(r.Status) {
				return fmt.Errorf("failed to delete federated bundle %q: %s", r.TrustDomain, r.Status.Message)
			}
			fmt.Fprintln(env.Out, "bundle deleted.")
			return nil
		})
	}
}
