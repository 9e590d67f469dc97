package api

import (
	"context"
	"slices"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// filter is what list and count have in common.
type filter interface {
	GetBySpiffeId() *types.SPIFFEID
	GetByParentId() *types.SPIFFEID
	GetBySelectors() *types.SelectorMatch
	GetByFederatesWith() *types.FederatesWithMatch
	GetByHint() *wrapperspb.StringValue
	GetByDownstream() *wrapperspb.BoolValue
}

func (s *entries) ListEntries(_ context.Context, request *entryv1.ListEntriesRequest) (*entryv1.ListEntriesResponse, error) {
	found, err := s.matching(request.Filter)
	return &entryv1.ListEntriesResponse{Entries: found}, err
}

func (s *entries) CountEntries(_ context.Context, request *entryv1.CountEntriesRequest) (*entryv1.CountEntriesResponse, error) {
	found, err := s.matching(request.Filter)
	return &entryv1.CountEntriesResponse{Count: int32(len(found))}, err
}

func (s *entries) matching(f filter) ([]*types.Entry, error) {
	if parent := f.GetByParentId(); parent != nil {
		if _, err := memberID(s.TrustDomain, parent, "member of"); err != nil {
			return nil, invalid("malformed parent ID filter: %v", err)
		}
	}
	if id := f.GetBySpiffeId(); id != nil {
		if _, err := workloadID(s.TrustDomain, id); err != nil {
			return nil, invalid("malformed SPIFFE ID filter: %v", err)
		}
	}
	var domains []string
	for _, name := range f.GetByFederatesWith().GetTrustDomains() {
		td, err := spiffeid.TrustDomainFromString(name)
		if err != nil {
			return nil, invalid("malformed federates with filter: %v", err)
		}
		domains = append(domains, td.Name())
	}
	wanted := selectorKeys(f.GetBySelectors().GetSelectors())
	return slices.DeleteFunc(s.Store.Read().Entries, func(e *types.Entry) bool {
		keep := f.GetBySpiffeId() == nil || f.GetBySpiffeId().Path == e.SpiffeId.Path
		keep = keep && (f.GetByParentId() == nil || f.GetByParentId().Path == e.ParentId.Path)
		keep = keep && (f.GetByHint() == nil || f.GetByHint().Value == e.Hint)
		// SPIRE's filter selects downstream entries; false selects every entry.
		keep = keep && (!f.GetByDownstream().GetValue() || e.Downstream)
		keep = keep && (len(wanted) == 0 || matches(int32(f.GetBySelectors().Match), wanted, selectorKeys(e.Selectors)))
		keep = keep && (len(domains) == 0 || matches(int32(f.GetByFederatesWith().Match), domains, e.FederatesWith))
		return !keep
	}), nil
}

// matches compares two sets; the two enumerations of match behaviours have the same numbers.
func matches(behaviour int32, wanted, have []string) bool {
	covers := func(a, b []string) bool {
		return !slices.ContainsFunc(b, func(x string) bool { return !slices.Contains(a, x) })
	}
	switch types.SelectorMatch_MatchBehavior(behaviour) {
	case types.SelectorMatch_MATCH_EXACT:
		return covers(wanted, have) && covers(have, wanted)
	case types.SelectorMatch_MATCH_SUBSET:
		return len(have) > 0 && covers(wanted, have)
	case types.SelectorMatch_MATCH_ANY:
		return slices.ContainsFunc(wanted, func(x string) bool { return slices.Contains(have, x) })
	default:
		return covers(have, wanted)
	}
}

func selectorKeys(selectors []*types.Selector) []string {
	var keys []string
	for _, s := range selectors {
		keys = append(keys, s.Type+":"+s.Value)
	}
	return keys
}

func sameSelectors(a, b *types.Entry) bool {
	return matches(int32(types.SelectorMatch_MATCH_EXACT), selectorKeys(a.Selectors), selectorKeys(b.Selectors))
}
