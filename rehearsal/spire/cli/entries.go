package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

// shown is the answer of `entry show`: the entries in SPIRE's order (pkg/common/util/sort.go of SPIRE), and for
// a reader in SPIRE's words (cmd/spire-server/cli/entry, show.go and util.go).
func shown(entries []*types.Entry) answer {
	for _, e := range entries {
		slices.SortFunc(e.GetSelectors(), compareSelectors)
	}
	slices.SortStableFunc(entries, compareEntries)
	var text strings.Builder
	noun := "entries"
	if len(entries) == 1 {
		noun = "entry"
	}
	fmt.Fprintf(&text, "Found %d %s\n", len(entries), noun)
	for _, e := range entries {
		for _, line := range lines(e) {
			fmt.Fprintf(&text, "%-24s: %v\n", line.name, line.value)
		}
		text.WriteString("\n")
	}
	return answer{message: &entryv1.ListEntriesResponse{Entries: entries}, text: text.String()}
}

func compareSelectors(a, b *types.Selector) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Value, b.Value))
}

func compareEntries(a, b *types.Entry) int {
	return cmp.Or(
		cmp.Compare(idText(a.SpiffeId), idText(b.SpiffeId)),
		cmp.Compare(idText(a.ParentId), idText(b.ParentId)),
		cmp.Compare(a.X509SvidTtl, b.X509SvidTtl),
		cmp.Compare(a.JwtSvidTtl, b.JwtSvidTtl),
		cmp.Compare(len(a.Selectors), len(b.Selectors)),
		slices.CompareFunc(a.Selectors, b.Selectors, compareSelectors),
	)
}

func idText(id *types.SPIFFEID) string { return "spiffe://" + id.GetTrustDomain() + id.GetPath() }

type line struct {
	name  string
	value any
}

// lines are what a reader sees of an entry.
func lines(e *types.Entry) []line {
	all := []line{
		{"Entry ID", e.Id},
		{"SPIFFE ID", idText(e.SpiffeId)},
		{"Parent ID", idText(e.ParentId)},
		{"Revision", e.RevisionNumber},
	}
	add := func(there bool, name string, value any) {
		if there {
			all = append(all, line{name, value})
		}
	}
	add(e.Downstream, "Downstream", true)
	all = append(all, line{"X509-SVID TTL", ttl(e.X509SvidTtl)}, line{"JWT-SVID TTL", ttl(e.JwtSvidTtl)})
	add(e.ExpiresAt != 0, "Expiration time", time.Unix(e.ExpiresAt, 0).UTC())
	for _, s := range e.Selectors {
		add(true, "Selector", s.Type+":"+s.Value)
	}
	for _, name := range e.FederatesWith {
		add(true, "FederatesWith", name)
	}
	for _, name := range e.DnsNames {
		add(true, "DNS name", name)
	}
	add(e.Admin, "Admin", true)
	add(e.StoreSvid, "StoreSvid", true)
	add(e.Hint != "", "Hint", e.Hint)
	return all
}

func ttl(seconds int32) any {
	if seconds == 0 {
		return "default"
	}
	return seconds
}
