package authority

import (
	"context"
	"slices"

	"agentweave-mesh/rehearsal/spire/store"

	localauthorityv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/localauthority/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Local serves SPIRE's LocalAuthority API for X.509 authorities, with its refusals (pkg/server/api/localauthority/v1 of SPIRE).
type Local struct {
	localauthorityv1.UnimplementedLocalAuthorityServer
	*Manager
}

func stateOf(a store.Authority) *localauthorityv1.AuthorityState {
	return &localauthorityv1.AuthorityState{AuthorityId: a.ID, ExpiresAt: a.NotAfter.Unix()}
}

func invalid(text string) error { return status.Error(codes.InvalidArgument, text) }

// change applies a change and answers with the authority that it returns.
func (l *Local) change(change func(*store.State) (store.Authority, error)) (state *localauthorityv1.AuthorityState, err error) {
	err = l.Store.Update(func(s *store.State) error {
		a, err := change(s)
		state = stateOf(a)
		return err
	})
	return state, err
}

func (l *Local) GetX509AuthorityState(context.Context, *localauthorityv1.GetX509AuthorityStateRequest) (*localauthorityv1.GetX509AuthorityStateResponse, error) {
	pair := l.Store.Read().X509
	response := &localauthorityv1.GetX509AuthorityStateResponse{Active: stateOf(pair.Current)}
	switch pair.Next.Status {
	case store.Prepared:
		response.Prepared = stateOf(pair.Next)
	case store.Old:
		response.Old = stateOf(pair.Next)
	}
	return response, nil
}

// PrepareX509Authority publishes a new CA. One that was prepared before and never activated stays in the bundle.
func (l *Local) PrepareX509Authority(context.Context, *localauthorityv1.PrepareX509AuthorityRequest) (*localauthorityv1.PrepareX509AuthorityResponse, error) {
	state, err := l.change(func(s *store.State) (a store.Authority, err error) {
		if s.X509.Next, err = l.newCA(s); err != nil {
			return a, status.Errorf(codes.Internal, "failed to prepare X.509 authority: %v", err)
		}
		return s.X509.Next, nil
	})
	return &localauthorityv1.PrepareX509AuthorityResponse{PreparedAuthority: state}, err
}

func (l *Local) ActivateX509Authority(_ context.Context, request *localauthorityv1.ActivateX509AuthorityRequest) (*localauthorityv1.ActivateX509AuthorityResponse, error) {
	state, err := l.change(func(s *store.State) (a store.Authority, err error) {
		switch id, next := request.AuthorityId, s.X509.Next; {
		case id == "":
			return a, invalid("no authority ID provided")
		case id != next.ID:
			return a, invalid("unexpected authority ID")
		case next.Status != store.Prepared:
			return a, status.Error(codes.Internal, "only Prepared authorities can be activated: unsupported local authority status: OLD")
		}
		l.activate(&s.X509)
		return s.X509.Current, nil
	})
	return &localauthorityv1.ActivateX509AuthorityResponse{ActivatedAuthority: state}, err
}

// TaintX509Authority marks the old CA, so that everything it signed is signed anew.
func (l *Local) TaintX509Authority(_ context.Context, request *localauthorityv1.TaintX509AuthorityRequest) (*localauthorityv1.TaintX509AuthorityResponse, error) {
	state, err := l.change(func(s *store.State) (a store.Authority, err error) {
		switch id, next := request.AuthorityId, s.X509.Next; {
		case id == "":
			return a, invalid("no authority ID provided")
		case id == s.X509.Current.ID:
			return a, invalid("unable to taint current local authority")
		case id != next.ID:
			return a, invalid("unexpected authority ID")
		case next.Status != store.Old:
			return a, invalid("only Old local authorities can be tainted: unsupported local authority status: PREPARED")
		}
		ca := find(l.bundle(s), request.AuthorityId)
		switch {
		case ca == nil:
			return a, status.Error(codes.Internal, "failed to taint X.509 authority: no ca found with provided subject key ID")
		case ca.Tainted:
			return a, status.Error(codes.Internal, "failed to taint X.509 authority: root CA is already tainted")
		}
		l.changed(s)
		ca.Tainted = true
		return s.X509.Next, nil
	})
	if err == nil {
		err = l.renewSVID()
	}
	return &localauthorityv1.TaintX509AuthorityResponse{TaintedAuthority: state}, err
}

// RevokeX509Authority takes the tainted, old CA out of the bundle. As in SPIRE, the answer has no expiry.
func (l *Local) RevokeX509Authority(_ context.Context, request *localauthorityv1.RevokeX509AuthorityRequest) (*localauthorityv1.RevokeX509AuthorityResponse, error) {
	err := l.Store.Update(func(s *store.State) error {
		switch id, next := request.AuthorityId, s.X509.Next; {
		case id == "":
			return invalid("invalid authority ID: no authority ID provided")
		case id == s.X509.Current.ID:
			return invalid("invalid authority ID: unable to use current authority")
		case id != next.ID || next.Status != store.Old:
			return invalid("invalid authority ID: only Old local authority can be revoked")
		}
		ca := find(l.bundle(s), request.AuthorityId)
		switch {
		case ca == nil:
			return status.Error(codes.Internal, "failed to revoke X.509 authority: no root CA found with provided subject key ID")
		case !ca.Tainted:
			return status.Error(codes.Internal, "failed to revoke X.509 authority: it is not possible to revoke an untainted root CA")
		}
		bundle := l.changed(s)
		bundle.X509Authorities = slices.DeleteFunc(bundle.X509Authorities, func(other *types.X509Certificate) bool { return other == ca })
		return nil
	})
	return &localauthorityv1.RevokeX509AuthorityResponse{RevokedAuthority: &localauthorityv1.AuthorityState{AuthorityId: request.AuthorityId}}, err
}
