// Package publish does what SPIRE's plugin BundlePublisher "k8s_configmap" does: it keeps a ConfigMap with the server's
// own bundle, from which agents start.
package publish

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"agentweave-mesh/rehearsal/spire/conf"
	"agentweave-mesh/rehearsal/spire/federation"
	"agentweave-mesh/rehearsal/spire/kube"
	"agentweave-mesh/rehearsal/spire/store"
)

// Retry is how long after a failure the bundle is published again. SPIRE waits for 30 s.
const Retry = 2 * time.Second

// fieldManager is SPIRE's (pkg/server/plugin/bundlepublisher/k8sconfigmap).
const fieldManager = "spire-bundlepublisher-k8s_configmap"

// Publisher publishes to one ConfigMap.
type Publisher struct {
	Target      conf.Publication
	Client      *kube.Client
	Store       *store.Store
	TrustDomain string
	Log         *slog.Logger
}

// Run publishes the bundle now and at every change, until the context ends.
func (p *Publisher) Run(ctx context.Context) {
	published := ""
	for {
		changed := p.Store.Changed()
		var retry <-chan time.Time
		document, err := p.document()
		if err == nil && document != published {
			if err = p.publish(ctx, document); err == nil {
				published = document
				p.Log.Info("Bundle published to Kubernetes ConfigMap", "namespace", p.Target.Namespace, "configmap", p.Target.ConfigMap, "key", p.Target.Key)
			}
		}
		if err != nil && ctx.Err() == nil {
			p.Log.Error("Failed to publish bundle", "error", err)
			retry = time.After(Retry)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-retry:
		}
	}
}

func (p *Publisher) document() (string, error) {
	bundle, err := federation.FromProto(p.Store.Read().Bundles[p.TrustDomain])
	if err != nil {
		return "", err
	}
	document, err := bundle.Marshal()
	return string(document), err
}

// publish applies the ConfigMap, which makes it where there is none, and takes no field from other managers.
func (p *Publisher) publish(ctx context.Context, document string) error {
	path := fmt.Sprintf("/api/v1/namespaces/%s/configmaps/%s?fieldManager=%s", url.PathEscape(p.Target.Namespace), url.PathEscape(p.Target.ConfigMap), fieldManager)
	return p.Client.Apply(ctx, path, map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]string{"name": p.Target.ConfigMap, "namespace": p.Target.Namespace},
		"data":     map[string]string{p.Target.Key: document},
	})
}
