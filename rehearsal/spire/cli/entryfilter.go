package cli

import (
	"flag"
	"fmt"
	"strings"

	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// filterValues are the flags by which show and count choose entries.
type filterValues struct {
	parentID, spiffeID, hint, matchSelectors, matchFederates string
	selectors, federatesWith                                 []string
	downstream                                               bool
}

func filterFlags(set *flag.FlagSet) *filterValues {
	f := &filterValues{}
	set.StringVar(&f.parentID, "parentID", "", "The Parent ID of the records")
	set.StringVar(&f.spiffeID, "spiffeID", "", "The SPIFFE ID of the records")
	set.StringVar(&f.hint, "hint", "", "The Hint of the records (optional)")
	set.BoolVar(&f.downstream, "downstream", false, "A boolean value that, when set, indicates that the entry describes a downstream SPIRE server")
	set.Func("selector", "A colon-delimited type:value selector. Can be used more than once", appendTo(&f.selectors))
	set.Func("federatesWith", "SPIFFE ID of a trust domain an entry is federate with. Can be used more than once", appendTo(&f.federatesWith))
	set.StringVar(&f.matchFederates, "matchFederatesWithOn", "superset", "The match mode used when filtering by federates with. Options: exact, any, superset and subset")
	set.StringVar(&f.matchSelectors, "matchSelectorsOn", "superset", "The match mode used when filtering by selectors. Options: exact, any, superset and subset")
	return f
}

func (f *filterValues) filter() (*entryv1.ListEntriesRequest_Filter, error) {
	filter := &entryv1.ListEntriesRequest_Filter{ByDownstream: wrapperspb.Bool(f.downstream)}
	var err error
	if f.parentID != "" {
		if filter.ByParentId, err = parseID(f.parentID); err != nil {
			return nil, fmt.Errorf("error parsing parent ID %q: %w", f.parentID, err)
		}
	}
	if f.spiffeID != "" {
		if filter.BySpiffeId, err = parseID(f.spiffeID); err != nil {
			return nil, fmt.Errorf("error parsing SPIFFE ID %q: %w", f.spiffeID, err)
		}
	}
	if f.hint != "" {
		filter.ByHint = wrapperspb.String(f.hint)
	}
	if len(f.selectors) > 0 {
		match, err := matchMode(f.matchSelectors)
		if err != nil {
			return nil, err
		}
		filter.BySelectors = &types.SelectorMatch{Match: types.SelectorMatch_MatchBehavior(match)}
		if filter.BySelectors.Selectors, err = parseSelectors(f.selectors); err != nil {
			return nil, fmt.Errorf("error parsing selectors: %w", err)
		}
	}
	if len(f.federatesWith) > 0 {
		match, err := matchMode(f.matchFederates)
		if err != nil {
			return nil, err
		}
		filter.ByFederatesWith = &types.FederatesWithMatch{Match: types.FederatesWithMatch_MatchBehavior(match), TrustDomains: f.federatesWith}
	}
	return filter, nil
}

// matchMode is the number that both enumerations of match behaviours give a mode.
func matchMode(mode string) (int32, error) {
	if value, ok := types.SelectorMatch_MatchBehavior_value["MATCH_"+strings.ToUpper(mode)]; ok {
		return value, nil
	}
	return 0, fmt.Errorf("match behavior %q unknown", mode)
}
