package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
)

// entry is a registration entry as flags or the JSON of -data have it. The names are those of SPIRE's
// older message spire.common.RegistrationEntry, which that JSON still follows.
type entry struct {
	EntryID       string            `json:"entry_id"`
	ParentID      string            `json:"parent_id"`
	SPIFFEID      string            `json:"spiffe_id"`
	Selectors     []*types.Selector `json:"selectors"`
	FederatesWith []string          `json:"federates_with"`
	X509SVIDTTL   int               `json:"x509_svid_ttl"`
	JWTSVIDTTL    int               `json:"jwt_svid_ttl"`
	Admin         bool              `json:"admin"`
	Downstream    bool              `json:"downstream"`
	ExpiresAt     int64             `json:"entryExpiry"`
	DNSNames      []string          `json:"dns_names"`
	StoreSVID     bool              `json:"store_svid"`
	Hint          string            `json:"hint"`

	selectors []string
	data      string
	node      bool
}

func appendTo(list *[]string) func(string) error {
	return func(value string) error {
		*list = append(*list, value)
		return nil
	}
}

func entryFlags(set *flag.FlagSet) *entry {
	e := &entry{}
	set.StringVar(&e.EntryID, "entryID", "", "A custom ID for this registration entry (optional). If not set, a new entry ID will be generated")
	set.StringVar(&e.ParentID, "parentID", "", "The SPIFFE ID of this record's parent")
	set.StringVar(&e.SPIFFEID, "spiffeID", "", "The SPIFFE ID that this record represents")
	set.IntVar(&e.X509SVIDTTL, "x509SVIDTTL", 0, "The lifetime, in seconds, for x509-SVIDs issued based on this registration entry.")
	set.IntVar(&e.JWTSVIDTTL, "jwtSVIDTTL", 0, "The lifetime, in seconds, for JWT-SVIDs issued based on this registration entry.")
	set.StringVar(&e.data, "data", "", "Path to a file containing registration JSON (optional). If set to '-', read the JSON from stdin.")
	set.Func("selector", "A colon-delimited type:value selector. Can be used more than once", appendTo(&e.selectors))
	set.Func("federatesWith", "SPIFFE ID of a trust domain to federate with. Can be used more than once", appendTo(&e.FederatesWith))
	set.BoolVar(&e.Admin, "admin", false, "If set, the SPIFFE ID in this entry will be granted access to the SPIRE Server's management APIs")
	set.BoolVar(&e.Downstream, "downstream", false, "A boolean value that, when set, indicates that the entry describes a downstream SPIRE server")
	set.BoolVar(&e.StoreSVID, "storeSVID", false, "A boolean value that, when set, indicates that the resulting issued SVID from this entry must be stored through an SVIDStore plugin")
	set.Int64Var(&e.ExpiresAt, "entryExpiry", 0, "An expiry, from epoch in seconds, for the resulting registration entry to be pruned")
	set.Func("dns", "A DNS name that will be included in SVIDs issued based on this entry, where appropriate. Can be used more than once", appendTo(&e.DNSNames))
	set.StringVar(&e.Hint, "hint", "", "The entry hint, used to disambiguate entries with the same SPIFFE ID")
	return e
}

func (e *entry) read(env Env) ([]*types.Entry, error) {
	if e.data != "" {
		return readEntries(env, e.data)
	}
	switch {
	case len(e.selectors) == 0:
		return nil, errors.New("at least one selector is required")
	case e.ParentID == "":
		return nil, errors.New("a parent ID is required")
	case e.SPIFFEID == "":
		return nil, errors.New("a SPIFFE ID is required")
	case e.X509SVIDTTL < 0:
		return nil, errors.New("a positive x509-SVID TTL is required")
	case e.JWTSVIDTTL < 0:
		return nil, errors.New("a positive JWT-SVID TTL is required")
	}
	m, err := e.message()
	if err != nil {
		return nil, err
	}
	m.Selectors, err = parseSelectors(e.selectors)
	return []*types.Entry{m}, err
}

func readEntries(env Env, path string) ([]*types.Entry, error) {
	text, err := readInput(env, path, "-")
	if err != nil {
		return nil, err
	}
	var document struct {
		All []*entry `json:"entries"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	var all []*types.Entry
	for _, item := range document.All {
		m, err := item.fromData()
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (e *entry) message() (*types.Entry, error) {
	id, err := parseID(e.SPIFFEID)
	if err != nil {
		return nil, err
	}
	parent, err := parseID(e.ParentID)
	if err != nil {
		return nil, err
	}
	return &types.Entry{
		Id: e.EntryID, SpiffeId: id, ParentId: parent, Selectors: e.Selectors, DnsNames: e.DNSNames,
		X509SvidTtl: int32(e.X509SVIDTTL), JwtSvidTtl: int32(e.JWTSVIDTTL), Admin: e.Admin, Downstream: e.Downstream,
		ExpiresAt: e.ExpiresAt, StoreSvid: e.StoreSVID, Hint: e.Hint, FederatesWith: e.FederatesWith,
	}, nil
}

// fromData is message with the checks that SPIRE makes of -data and not of flags.
func (e *entry) fromData() (*types.Entry, error) {
	if _, err := parseID(e.SPIFFEID); err != nil {
		return nil, fmt.Errorf("invalid SPIFFE ID: %w", err)
	}
	if _, err := parseID(e.ParentID); err != nil {
		return nil, fmt.Errorf("invalid parent ID: %w", err)
	}
	for i, name := range e.FederatesWith {
		td, err := spiffeid.TrustDomainFromString(name)
		if err != nil {
			return nil, fmt.Errorf("invalid federated trust domain: %w", err)
		}
		e.FederatesWith[i] = td.Name()
	}
	return e.message()
}

func parseID(text string) (*types.SPIFFEID, error) {
	id, err := spiffeid.FromString(text)
	if err != nil {
		return nil, err
	}
	return &types.SPIFFEID{TrustDomain: id.TrustDomain().Name(), Path: id.Path()}, nil
}

func parseSelectors(texts []string) ([]*types.Selector, error) {
	var all []*types.Selector
	for _, text := range texts {
		kind, value, ok := strings.Cut(text, ":")
		if !ok {
			return nil, fmt.Errorf("selector %q must be formatted as type:value", text)
		}
		all = append(all, &types.Selector{Type: kind, Value: value})
	}
	return all, nil
}

func entryDelete(set *flag.FlagSet) action {
	id := set.String("entryID", "", "The Registration Entry ID of the record to delete.")
	path := set.String("file", "", "Path to a file containing a JSON structure for batch deletion (optional). If set to '-', read from stdin.")
	out := outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		ids := []string{*id}
		switch {
		case *path != "":
			text, err := readInput(env, *path, "-")
			if err != nil {
				return err
			}
			var document struct {
				IDs []string `json:"ids"`
			}
			if err := json.Unmarshal(text, &document); err != nil {
				return err
			}
			ids = document.IDs
		case *id == "":
			return errors.New("an entry ID is required")
		}
		answer, err := entryv1.NewEntryClient(c).BatchDeleteEntry(ctx, &entryv1.BatchDeleteEntryRequest{Ids: ids})
		if err != nil {
			return err
		}
		return out.print(env, answer, func() error {
			return printDeleted(env, answer.Results)
		})
	}
}

func printDeleted(env Env, results []*entryv1.BatchDeleteEntryResponse_Result) error {
	deleted := 0
	for _, r := range results {
		if failed(r.Status) {
			fmt.Fprintf(env.Err, "Failed to delete entry with ID %s %s\n", r.Id, reason(r.Status))
			continue
		}
		deleted++
		fmt.Fprintf(env.Out, "Deleted entry with ID: %s\n", r.Id)
	}
	if deleted > 0 {
		fmt.Fprint(env.Out, "\n\n")
	}
	left := len(results) - deleted
	switch {
	case left == 0:
		fmt.Fprintf(env.Out, "Deleted %d entries successfully", deleted)
		return nil
	case deleted == 0:
		fmt.Fprintf(env.Out, "\n\nFailed to delete %d entries", left)
	default:
		fmt.Fprintf(env.Out, "\n\nDeleted %d entries successfully, but failed to delete %d entries", deleted, left)
	}
	return errors.New("failed to delete one or more entries")
}
