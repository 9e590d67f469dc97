package cli

import (
	"errors"
	"fmt"

	localauthorityv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/localauthority/v1"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func authorityShow(c *call) (answer, error) {
	_, a, err := ask(c, "could not get X.509 authorities", localauthorityv1.NewLocalAuthorityClient(c.conn).GetX509AuthorityState, &localauthorityv1.GetX509AuthorityStateRequest{})
	return a, err
}

func authorityPrepare(c *call) (answer, error) {
	_, a, err := ask(c, "could not prepare X.509 authority", localauthorityv1.NewLocalAuthorityClient(c.conn).PrepareX509Authority, &localauthorityv1.PrepareX509AuthorityRequest{})
	return a, err
}

func authorityActivate(c *call) (answer, error) {
	_, a, err := ask(c, "could not activate X.509 authority", localauthorityv1.NewLocalAuthorityClient(c.conn).ActivateX509Authority, &localauthorityv1.ActivateX509AuthorityRequest{AuthorityId: c.flag("authorityID")})
	return a, err
}

func authorityTaint(c *call) (answer, error) {
	_, a, err := ask(c, "could not taint X.509 authority", localauthorityv1.NewLocalAuthorityClient(c.conn).TaintX509Authority, &localauthorityv1.TaintX509AuthorityRequest{AuthorityId: c.flag("authorityID")})
	return a, err
}

func authorityRevoke(c *call) (answer, error) {
	_, a, err := ask(c, "could not revoke X.509 authority", localauthorityv1.NewLocalAuthorityClient(c.conn).RevokeX509Authority, &localauthorityv1.RevokeX509AuthorityRequest{AuthorityId: c.flag("authorityID")})
	return a, err
}

func healthcheck(c *call) (answer, error) {
	state, err := grpc_health_v1.NewHealthClient(c.conn).Check(c.ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return answer{}, errors.New("server is unhealthy: unable to determine health")
	}
	if state.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		return answer{}, fmt.Errorf("server is unhealthy: server returned status %q", state.Status)
	}
	return answer{message: state, text: "Server is healthy.\n"}, nil
}
