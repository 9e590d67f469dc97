package api

import (
	"context"

	"agentweave-mesh/rehearsal/spire/store"

	localauthorityv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/localauthority/v1"
)

type localAuthorities struct {
	localauthorityv1.UnimplementedLocalAuthorityServer
	*Service
}

func authorityState(slot store.Slot) *localauthorityv1.AuthorityState {
	return &localauthorityv1.AuthorityState{AuthorityId: slot.AuthorityID, ExpiresAt: slot.NotAfter.Unix()}
}

func (s *localAuthorities) GetX509AuthorityState(context.Context, *localauthorityv1.GetX509AuthorityStateRequest) (*localauthorityv1.GetX509AuthorityStateResponse, error) {
	pair := s.Authorities.State()
	response := &localauthorityv1.GetX509AuthorityStateResponse{Active: authorityState(pair.Current)}
	switch pair.Next.Status {
	case store.Prepared:
		response.Prepared = authorityState(pair.Next)
	case store.Old:
		response.Old = authorityState(pair.Next)
	}
	return response, nil
}

func (s *localAuthorities) PrepareX509Authority(context.Context, *localauthorityv1.PrepareX509AuthorityRequest) (*localauthorityv1.PrepareX509AuthorityResponse, error) {
	slot, err := s.Authorities.Prepare()
	if err != nil {
		return nil, err
	}
	return &localauthorityv1.PrepareX509AuthorityResponse{PreparedAuthority: authorityState(slot)}, nil
}

func (s *localAuthorities) ActivateX509Authority(_ context.Context, request *localauthorityv1.ActivateX509AuthorityRequest) (*localauthorityv1.ActivateX509AuthorityResponse, error) {
	slot, err := s.Authorities.Activate(request.AuthorityId)
	if err != nil {
		return nil, err
	}
	return &localauthorityv1.ActivateX509AuthorityResponse{ActivatedAuthority: authorityState(slot)}, nil
}

func (s *localAuthorities) TaintX509Authority(_ context.Context, request *localauthorityv1.TaintX509AuthorityRequest) (*localauthorityv1.TaintX509AuthorityResponse, error) {
	slot, err := s.Authorities.Taint(request.AuthorityId)
	if err != nil {
		return nil, err
	}
	return &localauthorityv1.TaintX509AuthorityResponse{TaintedAuthority: authorityState(slot)}, nil
}

func (s *localAuthorities) RevokeX509Authority(_ context.Context, request *localauthorityv1.RevokeX509AuthorityRequest) (*localauthorityv1.RevokeX509AuthorityResponse, error) {
	if err := s.Authorities.Revoke(request.AuthorityId); err != nil {
		return nil, err
	}
	revoked := &localauthorityv1.AuthorityState{AuthorityId: request.AuthorityId}
	return &localauthorityv1.RevokeX509AuthorityResponse{RevokedAuthority: revoked}, nil
}
