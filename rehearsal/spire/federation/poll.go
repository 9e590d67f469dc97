package federation

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"agentweave-mesh/rehearsal/spire/conf"
	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/protobuf/proto"
)

// Times of SPIRE's bundle manager (pkg/server/bundle/client).
const (
	attemptsPerHint = 4
	// For a bundle without a refresh hint.
	defaultInterval = 5 * time.Minute
)

// Poller polls the endpoint of every relationship.
type Poller struct {
	Store *store.Store
	Log   *slog.Logger
	// Interval between polls, given the bundle that is known now (nil for none).
	Interval func(*types.Bundle) time.Duration
	// Tick is how often Run looks for polls that are due.
	Tick time.Duration

	wake chan struct{}
}

// NewPoller returns a Poller with SPIRE's intervals.
func NewPoller(data *store.Store, log *slog.Logger) *Poller {
	return &Poller{Store: data, Log: log, Interval: Interval, Tick: time.Second, wake: make(chan struct{}, 1)}
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

// Wake makes a new relationship be polled now rather than at the next tick.
func (p *Poller) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run polls until the context ends: a new relationship at once, then at its intervals.
func (p *Poller) Run(ctx context.Context) {
	polled := map[string]time.Time{}
	var polls sync.WaitGroup
	defer polls.Wait()
	ticker := time.NewTicker(p.Tick)
	defer ticker.Stop()
	for {
		state := p.Store.Read()
		for td := range polled {
			if _, ok := state.Relationships[td]; !ok {
				p.Log.Info("Trust domain no longer managed", "trust_domain", td)
				delete(polled, td)
			}
		}
		for td, r := range state.Relationships {
			last, known := polled[td]
			if !known {
				p.Log.Info("Trust domain is now managed", "trust_domain", td, "bundle_endpoint_url", r.URL)
			} else if time.Since(last) < p.Interval(state.Bundles[td]) {
				continue
			}
			polled[td] = time.Now()
			polls.Go(func() { p.poll(ctx, td) })
		}
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-ticker.C:
		}
	}
}

func (p *Poller) poll(ctx context.Context, trustDomain string) {
	if _, err := p.Refresh(ctx, trustDomain); err != nil && ctx.Err() == nil {
		p.Log.Error("Error updating bundle", "trust_domain", trustDomain, "error", err)
	}
}

// Refresh fetches the bundle of a trust domain from its endpoint now and stores it where it differs
// from the one stored. It returns false where there is no relationship with the trust domain.
func (p *Poller) Refresh(ctx context.Context, trustDomain string) (bool, error) {
	state := p.Store.Read()
	relationship, ok := state.Relationships[trustDomain]
	if !ok {
		return false, nil
	}
	fetched, err := fetch(ctx, state, relationship)
	if err != nil {
		return true, err
	}
	// SPIRE reads no sequence number from an endpoint (pkg/common/bundleutil): only a bundle given through the API keeps one.
	fetched.ClearSequenceNumber()
	bundle, err := ToProto(fetched)
	if err != nil {
		return true, err
	}
	err = p.Store.Update(func(s *store.State) error {
		// The relationship may have gone while the endpoint answered; its bundle must not come back.
		if _, ok := s.Relationships[trustDomain]; ok && !proto.Equal(s.Bundles[trustDomain], bundle) {
			s.Bundles[trustDomain] = bundle
			p.Log.Info("Bundle refreshed", "trust_domain", trustDomain)
		}
		return nil
	})
	if err != nil {
		return true, fmt.Errorf("failed to store fetched federated bundle: %w", err)
	}
	return true, nil
}
