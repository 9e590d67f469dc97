package conf

import (
	"errors"
	"fmt"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Agent is a checked agent.conf (doc/spire_agent.md of the SPIRE project), as far as the stand-in has a use for it.
type Agent struct {
	TrustDomain spiffeid.TrustDomain
	// SocketPath is the unix socket of the Workload API.
	SocketPath string
	// Cluster is the node's cluster in k8s_psat attestation.
	Cluster string
	// SyncInterval is how often entries and bundles are asked for; 5 s by default.
	SyncInterval time.Duration
	Log
	Observability
}

type agentFile struct {
	Agent struct {
		TrustDomain  string `hcl:"trust_domain"`
		SocketPath   string `hcl:"socket_path"`
		LogLevel     string `hcl:"log_level"`
		LogFormat    string `hcl:"log_format"`
		Experimental struct {
			SyncInterval string `hcl:"sync_interval"`
		} `hcl:"experimental"`
	} `hcl:"agent"`
	Plugins      map[string]map[string]pluginBlock `hcl:"plugins"`
	Telemetry    telemetryBlock                    `hcl:"telemetry"`
	HealthChecks healthBlock                       `hcl:"health_checks"`
}

// LoadAgent reads and checks an agent.conf. Keys that the stand-in has no use for are not looked at.
func LoadAgent(path string) (*Agent, error) {
	f := &agentFile{}
	f.Agent.SocketPath, f.Agent.LogLevel, f.Agent.Experimental.SyncInterval = "/tmp/spire-agent/public/api.sock", "INFO", "5s"
	if err := decode(path, f); err != nil {
		return nil, err
	}
	a := &Agent{SocketPath: f.Agent.SocketPath, Log: Log{f.Agent.LogLevel, f.Agent.LogFormat}, Observability: observability(f.HealthChecks, f.Telemetry)}
	if f.Agent.TrustDomain == "" {
		return nil, errors.New("trust_domain must be configured")
	}
	var err error
	if a.TrustDomain, err = spiffeid.TrustDomainFromString(f.Agent.TrustDomain); err != nil {
		return nil, fmt.Errorf("could not parse trust_domain %q: %w", f.Agent.TrustDomain, err)
	}
	if a.SyncInterval, err = time.ParseDuration(f.Agent.Experimental.SyncInterval); err != nil || a.SyncInterval <= 0 {
		return nil, fmt.Errorf("could not parse synchronization interval %q", f.Agent.Experimental.SyncInterval)
	}
	for _, p := range []struct{ kind, name string }{{"NodeAttestor", "k8s_psat"}, {"WorkloadAttestor", "k8s"}} {
		plugin, found := f.Plugins[p.kind][p.name]
		if !found || plugin.disabled() {
			return nil, fmt.Errorf("the stand-in plays %s %q alone, and this configuration has it not", p.kind, p.name)
		}
	}
	if a.Cluster = f.Plugins["NodeAttestor"]["k8s_psat"].Data.Cluster; a.Cluster == "" {
		return nil, &PluginError{`NodeAttestor "k8s_psat"`, "configuration missing cluster"}
	}
	return a, nil
}
