package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	localauthorityv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/localauthority/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
)

func authorityShow(set *flag.FlagSet) action {
	out := outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		state, err := localauthorityv1.NewLocalAuthorityClient(c).GetX509AuthorityState(ctx, &localauthorityv1.GetX509AuthorityStateRequest{})
		if err != nil {
			return fmt.Errorf("could not get X.509 authorities: %w", err)
		}
		return out.print(env, state, func() error {
			for i, which := range []struct {
				title, name string
				state       *localauthorityv1.AuthorityState
			}{{"Active", "active", state.Active}, {"Prepared", "prepared", state.Prepared}, {"Old", "old", state.Old}} {
				if i > 0 {
					fmt.Fprintln(env.Out)
				}
				fmt.Fprintf(env.Out, "%s X.509 authority:\n", which.title)
				if which.state == nil {
					fmt.Fprintf(env.Out, "  No %s X.509 authority found\n", which.name)
					continue
				}
				printAuthority(env, which.state)
			}
			return nil
		})
	}
}

func printAuthority(env Env, state *localauthorityv1.AuthorityState) {
	fmt.Fprintf(env.Out, "  Authority ID: %s\n  Expires at: %s\n  Upstream authority ID: No upstream authority\n",
		state.AuthorityId, time.Unix(state.ExpiresAt, 0).UTC())
}

func authorityPrepare(set *flag.FlagSet) action {
	out := outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		answer, err := localauthorityv1.NewLocalAuthorityClient(c).PrepareX509Authority(ctx, &localauthorityv1.PrepareX509AuthorityRequest{})
		if err != nil {
			return fmt.Errorf("could not prepare X.509 authority: %w", err)
		}
		return out.print(env, answer, func() error {
			fmt.Fprintln(env.Out, "Prepared X.509 authority:")
			printAuthority(env, answer.PreparedAuthority)
			return nil
		})
	}
}

func authorityActivate(set *flag.FlagSet) action {
	return onAuthority(set, "activate", "Activated", func(ctx context.Context, c localauthorityv1.LocalAuthorityClient, id string) (proto.Message, *localauthorityv1.AuthorityState, error) {
		answer, err := c.ActivateX509Authority(ctx, &localauthorityv1.ActivateX509AuthorityRequest{AuthorityId: id})
		return answer, answer.GetActivatedAuthority(), err
	})
}

func authorityTaint(set *flag.FlagSet) action {
	return onAuthority(set, "taint", "Tainted", func(ctx context.Context, c localauthorityv1.LocalAuthorityClient, id string) (proto.Message, *localauthorityv1.AuthorityState, error) {
		answer, err := c.TaintX509Authority(ctx, &localauthorityv1.TaintX509AuthorityRequest{AuthorityId: id})
		return answer, answer.GetTaintedAuthority(), err
	})
}

func authorityRevoke(set *flag.FlagSet) action {
	return onAuthority(set, "revoke", "Revoked", func(ctx context.Context, c localauthorityv1.LocalAuthorityClient, id string) (proto.Message, *localauthorityv1.AuthorityState, error) {
		answer, err := c.RevokeX509Authority(ctx, &localauthorityv1.RevokeX509AuthorityRequest{AuthorityId: id})
		return answer, answer.GetRevokedAuthority(), err
	})
}

func onAuthority(set *flag.FlagSet, verb, done string, call func(context.Context, localauthorityv1.LocalAuthorityClient, string) (proto.Message, *localauthorityv1.AuthorityState, error)) action {
	id := set.String("authorityID", "", "The authority ID of the X.509 authority to "+verb)
	out := outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		if *id == "" {
			return errors.New("an authority ID is required")
		}
		answer, state, err := call(ctx, localauthorityv1.NewLocalAuthorityClient(c), *id)
		if err != nil {
			return fmt.Errorf("could not %s X.509 authority: %w", verb, err)
		}
		return out.print(env, answer, func() error {
			fmt.Fprintf(env.Out, "%s X.509 authority:\n", done)
			printAuthority(env, state)
			return nil
		})
	}
}

func healthCheck(set *flag.FlagSet) action {
	verbose := set.Bool("verbose", false, "Print verbose information")
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		if *verbose {
			fmt.Fprintln(env.Out, "Checking server health...")
		}
		answer, err := grpc_health_v1.NewHealthClient(c).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			if *verbose {
				fmt.Fprintf(env.Err, "Failed to check health: %v\n", err)
			}
			return errors.New("server is unhealthy: unable to determine health")
		}
		if answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			return fmt.Errorf("server is unhealthy: server returned status %q", answer.Status)
		}
		fmt.Fprintln(env.Out, "Server is healthy.")
		return nil
	}
}
