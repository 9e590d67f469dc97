package federation

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"agentweave-mesh/rehearsal/spire/conf"
	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

// Times of SPIRE's bundle manager (pkg/server/bundle/client).
const (
	attemptsPerHint = 4
	reloadInterval  = 10 * time.Second
	// For a bundle without a refresh hint.
	defaultInterval = 5 * time.Minute
)

// Counts are what the metrics say of the polls of one trust domain.
type Counts struct{ OK, Failed, Updated int }

// Poller polls the endpoint of every relationship.
type Poller struct {
	Store *store.Store
	Log   *slog.Logger
	// Interval until the next poll, given the bundle that is known now (nil for none).
	Interval func(*types.Bundle) time.Duration

	reload chan struct{}
	mu     sync.Mutex
	counts map[string]Counts
}

// NewPoller returns a Poller with SPIRE's intervals.
func NewPoller(data *store.Store, log *slog.Logger) *Poller {
	return &Poller{Store: data, Log: log, Interval: Interval, reload: make(chan struct{}, 1), counts: map[string]Counts{}}
}

// Interval between polls: a quarter of the foreign bundle's refresh hint, which counts as a minute at least.
func Interval(bundle *types.Bundle) time.Duration {
	switch {
	case bundle == nil:
		return conf.MinimumRefreshHint
	case bundle.RefreshHint == 0:
		return defaultInterval
	default:
		return max(time.Duration(bundle.RefreshHint)*time.Second, conf.MinimumRefreshHint) / attemptsPerHint
	}
}

// Reload makes new, changed and deleted relationships take effect now rather than at the next reload.
func (p *Poller) Reload() {
	select {
	case p.reload <- struct{}{}:
	default:
	}
}

// Counts of polls by trust domain.
func (p *Poller) Counts() map[string]Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// Run polls until the context ends.
func (p *Poller) Run(ctx context.Context) {
	running := map[string]context.CancelFunc{}
	var polls sync.WaitGroup
	defer polls.Wait()
	ticker := time.NewTicker(reloadInterval)
	defer ticker.Stop()
	for {
		state := p.Store.Read()
		for _, r := range state.Relationships {
			if _, ok := running[r.TrustDomain]; ok {
				continue
			}
			p.Log.Info("Trust domain is now managed", "trust_domain", r.TrustDomain, "bundle_endpoint_url", r.BundleEndpointUrl)
			own, cancel := context.WithCancel(ctx)
			running[r.TrustDomain] = cancel
			polls.Go(func() { p.poll(own, r.TrustDomain) })
		}
		for _, td := range slices.Collect(maps.Keys(running)) {
			if state.Relationship(td) == nil {
				p.Log.Info("Trust domain no longer managed", "trust_domain", td)
				running[td]()
				delete(running, td)
			}
		}
		select {
		case <-ctx.Done():
			for _, cancel := range running {
				cancel()
			}
			return
		case <-p.reload:
		case <-ticker.C:
		}
	}
}

func (p *Poller) poll(ctx context.Context, trustDomain string) {
	for {
		p.pollOnce(ctx, trustDomain)
		wait := p.Interval(p.Store.Read().Bundle(trustDomain))
		p.Log.Debug("Scheduling next bundle refresh", "trust_domain", trustDomain, "at", time.Now().Add(wait).UTC())
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Refresh fetches the bundle of a trust domain from its endpoint now and stores it where it differs
// from the one stored. It returns false where there is no relationship with the trust domain.
func (p *Poller) Refresh(ctx context.Context, trustDomain string) (bool, error) {
	managed, _, err := p.update(ctx, trustDomain)
	return managed, err
}

// pollOnce is a Refresh that the metrics count.
func (p *Poller) pollOnce(ctx context.Context, trustDomain string) {
	managed, updated, err := p.update(ctx, trustDomain)
	if !managed || ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counts[trustDomain]
	switch {
	case err != nil:
		c.Failed++
		p.Log.Error("Error updating bundle", "trust_domain", trustDomain, "error", err)
	case updated:
		c.OK++
		c.Updated++
		p.Log.Info("Bundle refreshed", "trust_domain", trustDomain)
	default:
		c.OK++
	}
	p.counts[trustDomain] = c
}

func (p *Poller) update(ctx context.Context, trustDomain string) (managed, updated bool, err error) {
	state := p.Store.Read()
	relationship := state.Relationship(trustDomain)
	if relationship == nil {
		return false, false, nil
	}
	fetched, err := fetch(ctx, state, relationship)
	if err != nil {
		return true, false, err
	}
	updated, err = p.keep(ctx, relationship, fetched)
	return true, updated, err
}

func (p *Poller) keep(ctx context.Context, relationship *types.FederationRelationship, fetched *spiffebundle.Bundle) (bool, error) {
	// SPIRE reads no sequence number from an endpoint (pkg/common/bundleutil): only a bundle given through the API keeps one.
	fetched.ClearSequenceNumber()
	bundle, err := ToProto(fetched)
	if err != nil {
		return false, err
	}
	updated := false
	err = p.Store.Update(func(s *store.State) error {
		// The relationship may have gone while the endpoint answered; its bundle must not come back.
		if ctx.Err() != nil || s.Relationship(relationship.TrustDomain) == nil {
			return nil
		}
		if known := s.Bundle(relationship.TrustDomain); known != nil {
			if k, err := FromProto(known); err == nil && fetched.Equal(k) {
				return nil
			}
		}
		s.SetBundle(bundle)
		updated = true
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("failed to store fetched federated bundle: %w", err)
	}
	return updated, nil
}
