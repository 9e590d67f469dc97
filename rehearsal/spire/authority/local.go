package authority

import (
	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The operations of SPIRE's LocalAuthority API on X.509 authorities, with its refusals
// (pkg/server/api/localauthority/v1 of SPIRE).

// Prepare makes the next CA and publishes it in the bundle. One that was prepared before and never activated stays in the bundle.
func (m *Manager) Prepare() (store.Slot, error) {
	var prepared store.Slot
	err := m.update(func(s *store.State) error {
		if err := m.prepareX509(s); err != nil {
			return status.Errorf(codes.Internal, "failed to prepare X.509 authority: %v", err)
		}
		prepared = s.X509.Next
		return nil
	})
	return prepared, err
}

// Activate makes the prepared CA of this id the one that signs.
func (m *Manager) Activate(id string) (store.Slot, error) {
	var active store.Slot
	err := m.update(func(s *store.State) error {
		switch next := s.X509.Next; {
		case id == "":
			return status.Error(codes.InvalidArgument, "no authority ID provided")
		case id != next.AuthorityID:
			return status.Error(codes.InvalidArgument, "unexpected authority ID")
		case next.Status != store.Prepared:
			return status.Errorf(codes.Internal, "only Prepared authorities can be activated: unsupported local authority status: %s", journalName(next))
		}
		m.activate(&s.X509)
		active = s.X509.Current
		return nil
	})
	return active, err
}

// Taint marks the old CA of this id, so that everything it signed is signed anew.
func (m *Manager) Taint(id string) (store.Slot, error) {
	var tainted store.Slot
	err := m.update(func(s *store.State) error {
		switch next := s.X509.Next; {
		case id == "":
			return status.Error(codes.InvalidArgument, "no authority ID provided")
		case id == s.X509.Current.AuthorityID:
			return status.Error(codes.InvalidArgument, "unable to taint current local authority")
		case id != next.AuthorityID:
			return status.Error(codes.InvalidArgument, "unexpected authority ID")
		case next.Status != store.Old:
			return status.Errorf(codes.InvalidArgument, "only Old local authorities can be tainted: unsupported local authority status: %s", journalName(next))
		}
		authority := m.find(s, id)
		switch {
		case authority == nil:
			return status.Error(codes.Internal, "failed to taint X.509 authority: no ca found with provided subject key ID")
		case authority.Tainted:
			return status.Error(codes.Internal, "failed to taint X.509 authority: root CA is already tainted")
		}
		m.publish(s, func(*types.Bundle) { authority.Tainted = true })
		tainted = s.X509.Next
		return nil
	})
	if err != nil {
		return tainted, err
	}
	return tainted, m.renewSVID()
}

// Revoke takes the tainted, old CA of this id out of the bundle.
func (m *Manager) Revoke(id string) error {
	return m.update(func(s *store.State) error {
		switch next := s.X509.Next; {
		case id == "":
			return status.Error(codes.InvalidArgument, "invalid authority ID: no authority ID provided")
		case id == s.X509.Current.AuthorityID:
			return status.Error(codes.InvalidArgument, "invalid authority ID: unable to use current authority")
		case id != next.AuthorityID || next.Status != store.Old:
			return status.Error(codes.InvalidArgument, "invalid authority ID: only Old local authority can be revoked")
		}
		authority := m.find(s, id)
		switch {
		case authority == nil:
			return status.Error(codes.Internal, "failed to revoke X.509 authority: no root CA found with provided subject key ID")
		case !authority.Tainted:
			return status.Error(codes.Internal, "failed to revoke X.509 authority: it is not possible to revoke an untainted root CA")
		}
		m.publish(s, func(b *types.Bundle) {
			var left []*types.X509Certificate
			for _, a := range b.X509Authorities {
				if a != authority {
					left = append(left, a)
				}
			}
			b.X509Authorities = left
		})
		return nil
	})
}

func (m *Manager) find(s *store.State, id string) *types.X509Certificate {
	for _, a := range s.Bundle(m.TrustDomain.Name()).X509Authorities {
		if certificateAuthorityID(a.Asn1) == id {
			return a
		}
	}
	return nil
}

// journalName is how SPIRE's journal spells a status; a slot never used reads as unknown.
func journalName(slot store.Slot) string {
	switch slot.Status {
	case store.Prepared:
		return "PREPARED"
	case store.Active:
		return "ACTIVE"
	case store.Old:
		return "OLD"
	default:
		return "UNKNOWN"
	}
}
