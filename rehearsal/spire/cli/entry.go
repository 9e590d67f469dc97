package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
)

func entryCreate(set *flag.FlagSet) action {
	given, out := entryFlags(set), outputFlag(set)
	set.BoolVar(&given.node, "node", false, "If set, this entry will be applied to matching nodes rather than workloads")
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		if given.node && given.data == "" {
			if len(given.FederatesWith) > 0 {
				return errors.New("node entries can not federate")
			}
			td, _, _ := strings.Cut(strings.TrimPrefix(given.SPIFFEID, "spiffe://"), "/")
			given.ParentID = "spiffe://" + td + "/spire/server"
		}
		if given.data == "" && given.ParentID == "" && len(given.selectors) > 0 {
			return errors.New("a parent ID is required if the node flag is not set")
		}
		all, err := given.read(env)
		if err != nil {
			return err
		}
		answer, err := entryv1.NewEntryClient(c).BatchCreateEntry(ctx, &entryv1.BatchCreateEntryRequest{Entries: all})
		if err != nil {
			return err
		}
		for i, r := range answer.Results {
			if failed(r.Status) {
				r.Entry = all[i]
			}
		}
		return out.print(env, answer, func() error { return printEntryResults(env, "create", answer.Results) })
	}
}

func entryUpdate(set *flag.FlagSet) action {
	given, out := entryFlags(set), outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		if given.data == "" && given.EntryID == "" {
			return errors.New("entry ID is required")
		}
		all, err := given.read(env)
		if err != nil {
			return err
		}
		answer, err := entryv1.NewEntryClient(c).BatchUpdateEntry(ctx, &entryv1.BatchUpdateEntryRequest{Entries: all})
		if err != nil {
			return err
		}
		for i, r := range answer.Results {
			if failed(r.Status) {
				r.Entry = all[i]
			}
		}
		return out.print(env, answer, func() error { return printEntryResults(env, "update", answer.Results) })
	}
}

func printEntryResults[R interface {
	GetStatus() *types.Status
	GetEntry() *types.Entry
}](env Env, verb string, results []R) error {
	anyFailed := false
	for _, r := range results {
		if failed(r.GetStatus()) {
			anyFailed = true
			fmt.Fprintf(env.Err, "Failed to %s the following entry %s:\n", verb, reason(r.GetStatus()))
			printEntry(env.Err, r.GetEntry())
			continue
		}
		printEntry(env.Out, r.GetEntry())
	}
	if anyFailed {
		return fmt.Errorf("failed to %s one or more entries", verb)
	}
	return nil
}

func entryShow(set *flag.FlagSet) action {
	id := set.String("entryID", "", "The Entry ID of the records to show")
	f, out := filterFlags(set), outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		client := entryv1.NewEntryClient(c)
		found := &entryv1.ListEntriesResponse{}
		if *id != "" {
			e, err := client.GetEntry(ctx, &entryv1.GetEntryRequest{Id: *id})
			if err != nil {
				return fmt.Errorf("error fetching entry ID %s: %w", *id, err)
			}
			found.Entries = []*types.Entry{e}
		} else {
			filter, err := f.filter()
			if err != nil {
				return err
			}
			if found, err = client.ListEntries(ctx, &entryv1.ListEntriesRequest{Filter: filter}); err != nil {
				return fmt.Errorf("error fetching entries: %w", err)
			}
		}
		slices.SortStableFunc(found.Entries, func(a, b *types.Entry) int { return strings.Compare(idText(a.SpiffeId), idText(b.SpiffeId)) })
		return out.print(env, found, func() error {
			n := len(found.Entries)
			fmt.Fprintf(env.Out, "Found %d %s\n", n, plural(n, "entry", "entries"))
			for _, e := range found.Entries {
				printEntry(env.Out, e)
			}
			return nil
		})
	}
}

func entryCount(set *flag.FlagSet) action {
	f, out := filterFlags(set), outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		filter, err := f.filter()
		if err != nil {
			return err
		}
		answer, err := entryv1.NewEntryClient(c).CountEntries(ctx, &entryv1.CountEntriesRequest{Filter: &entryv1.CountEntriesRequest_Filter{
			BySpiffeId: filter.BySpiffeId, ByParentId: filter.ByParentId, BySelectors: filter.BySelectors,
			ByFederatesWith: filter.ByFederatesWith, ByHint: filter.ByHint, ByDownstream: filter.ByDownstream,
		}})
		if err != nil {
			return err
		}
		return out.print(env, answer, func() error {
			fmt.Fprintf(env.Out, "%d registration %s\n", answer.Count, plural(int(answer.Count), "entry", "entries"))
			return nil
		})
	}
}

func idText(id *types.SPIFFEID) string {
	if id == nil {
		return ""
	}
	return "spiffe://" + id.TrustDomain + id.Path
}

func printEntry(w io.Writer, e *types.Entry) {
	line := func(name string, value any) { fmt.Fprintf(w, "%-24s: %v\n", name, value) }
	ttl := func(seconds int32) any {
		if seconds == 0 {
			return "default"
		}
		return seconds
	}
	id := e.Id
	if id == "" {
		id = "(none)"
	}
	line("Entry ID", id)
	line("SPIFFE ID", idText(e.SpiffeId))
	line("Parent ID", idText(e.ParentId))
	line("Revision", e.RevisionNumber)
	if e.Downstream {
		line("Downstream", true)
	}
	line("X509-SVID TTL", ttl(e.X509SvidTtl))
	line("JWT-SVID TTL", ttl(e.JwtSvidTtl))
	if e.ExpiresAt != 0 {
		line("Expiration time", time.Unix(e.ExpiresAt, 0).UTC())
	}
	for _, s := range e.Selectors {
		line("Selector", s.Type+":"+s.Value)
	}
	for _, td := range e.FederatesWith {
		line("FederatesWith", td)
	}
	for _, name := range e.DnsNames {
		line("DNS name", name)
	}
	if e.Admin {
		line("Admin", true)
	}
	if e.StoreSvid {
		line("StoreSvid", true)
	}
	if e.Hint != "" {
		line("Hint", e.Hint)
	}
	fmt.Fprintln(w)
}
