// Package identity keeps what the agent knows from its SPIRE server - registration entries, bundles - and has the
// server sign the SVIDs of the workloads that ask for one.
package identity

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"agentweave-mesh/rehearsal/spire/agent/attest"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// requestLimit is how long a request to the server may take.
const requestLimit = 5 * time.Second

// Manager is safe for concurrent use. Nothing may be asked of it before Sync has succeeded once.
type Manager struct {
	conn        grpc.ClientConnInterface
	trustDomain spiffeid.TrustDomain
	node        attest.Selectors
	log         *slog.Logger

	mu      sync.Mutex
	known   *knowledge
	changed chan struct{}

	// minting guards issued, the SVIDs by id of entry.
	minting sync.Mutex
	issued  map[string]*SVID
}

// knowledge is what the server said last; it is never changed, only replaced.
type knowledge struct {
	bundle    *types.Bundle
	federated map[string]*types.Bundle
	// entries of this node's workloads, oldest first.
	entries []*types.Entry
}

// New returns a manager for a node with these selectors; conn leads to the server's API for administrators.
func New(conn grpc.ClientConnInterface, trustDomain spiffeid.TrustDomain, node attest.Selectors, log *slog.Logger) *Manager {
	return &Manager{conn: conn, trustDomain: trustDomain, node: node, log: log, changed: make(chan struct{}), issued: map[string]*SVID{}}
}

// Sync asks the server for entries and bundles, and tells the workloads of changes.
func (m *Manager) Sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	bundles := bundlev1.NewBundleClient(m.conn)
	bundle, err := bundles.GetBundle(ctx, &bundlev1.GetBundleRequest{})
	if err != nil {
		return fmt.Errorf("failed to get bundle: %w", err)
	}
	if bundle.TrustDomain != m.trustDomain.Name() {
		return fmt.Errorf("the server is that of trust domain %q, not of %q", bundle.TrustDomain, m.trustDomain)
	}
	federated, err := bundles.ListFederatedBundles(ctx, &bundlev1.ListFederatedBundlesRequest{})
	if err != nil {
		return fmt.Errorf("failed to list federated bundles: %w", err)
	}
	entries, err := entryv1.NewEntryClient(m.conn).ListEntries(ctx, &entryv1.ListEntriesRequest{})
	if err != nil {
		return fmt.Errorf("failed to list entries: %w", err)
	}
	k := &knowledge{bundle: bundle, federated: map[string]*types.Bundle{}, entries: m.authorized(entries.Entries)}
	for _, one := range federated.Bundles {
		k.federated[one.TrustDomain] = one
	}
	m.take(k)
	return nil
}

// authorized returns the entries whose parent is an alias of this node: an entry of the server's own with selectors
// that this node has.
func (m *Manager) authorized(all []*types.Entry) []*types.Entry {
	aliases := map[string]bool{}
	for _, e := range all {
		if e.ParentId.Path == "/spire/server" && m.node.Include(e.Selectors) {
			aliases[e.SpiffeId.Path] = true
		}
	}
	entries := slices.DeleteFunc(slices.Clone(all), func(e *types.Entry) bool { return !aliases[e.ParentId.Path] })
	slices.SortFunc(entries, func(a, b *types.Entry) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.Id, b.Id))
	})
	return entries
}

func (m *Manager) take(k *knowledge) {
	m.mu.Lock()
	same := m.known.equals(k)
	if !same {
		m.known = k
		close(m.changed)
		m.changed = make(chan struct{})
	}
	m.mu.Unlock()
	if same {
		return
	}
	m.log.Debug("Entries or bundles have changed", "entries", len(k.entries), "sequence", k.bundle.SequenceNumber, "federated", len(k.federated))
	m.minting.Lock()
	defer m.minting.Unlock()
	maps.DeleteFunc(m.issued, func(id string, _ *SVID) bool {
		return !slices.ContainsFunc(k.entries, func(e *types.Entry) bool { return e.Id == id })
	})
}

func (k *knowledge) equals(other *knowledge) bool {
	if k == nil {
		return false
	}
	return proto.Equal(k.bundle, other.bundle) &&
		maps.EqualFunc(k.federated, other.federated, func(a, b *types.Bundle) bool { return proto.Equal(a, b) }) &&
		slices.EqualFunc(k.entries, other.entries, func(a, b *types.Entry) bool { return proto.Equal(a, b) })
}

// trusts tells whether an authority, by its subject key id, is in the server's bundle and not tainted.
func (k *knowledge) trusts(authority string) bool {
	return slices.ContainsFunc(k.bundle.X509Authorities, func(a *types.X509Certificate) bool {
		certificate, err := x509.ParseCertificate(a.Asn1)
		return err == nil && !a.Tainted && string(certificate.SubjectKeyId) == authority
	})
}

// Update is what a workload is to know.
type Update struct {
	// SVIDs are the workload's, of its oldest entry first; none means that it is not registered.
	SVIDs []*SVID
	// Bundle is that of the own trust domain, Federated are those that the workload's entries name.
	Bundle    *types.Bundle
	Federated []*types.Bundle
	// RenewAt is when the first SVID is to be renewed.
	RenewAt time.Time
}

// For returns what a workload with these selectors is to know now, and a channel that is closed when that may have
// changed. It fails if the workload has an entry but the server does not sign its SVID.
func (m *Manager) For(ctx context.Context, selectors attest.Selectors) (*Update, <-chan struct{}, error) {
	m.mu.Lock()
	k, changed := m.known, m.changed
	m.mu.Unlock()
	update := &Update{Bundle: k.bundle}
	federated := map[string]bool{}
	for _, e := range k.entries {
		if !selectors.Include(e.Selectors) {
			continue
		}
		svid, renewAt, err := m.svid(ctx, k, e)
		if err != nil {
			return nil, changed, err
		}
		update.SVIDs = append(update.SVIDs, svid)
		if update.RenewAt.IsZero() || renewAt.Before(update.RenewAt) {
			update.RenewAt = renewAt
		}
		for _, name := range e.FederatesWith {
			if bundle := k.federated[name]; bundle != nil && !federated[name] {
				federated[name] = true
				update.Federated = append(update.Federated, bundle)
			}
		}
	}
	return update, changed, nil
}
