package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const agentConf = `
agent {
  data_dir = "run/spire/data"
  log_level = "INFO"
  log_format = "json"
  trust_domain = "aws.example.org"
  server_address = "127.0.11.200"
  server_port = 8081
  socket_path = "run/spire/agent-sockets/spire-agent.sock"
  trust_bundle_path = "run/spire/bundle/bundle.json"
  trust_bundle_format = "spiffe"
  rebootstrap_mode = "auto"
}
plugins {
  NodeAttestor "k8s_psat" { plugin_data { cluster = "aws" token_path = "var/run/secrets/tokens/spire-agent" } }
  KeyManager "memory" { plugin_data {} }
  WorkloadAttestor "k8s" { plugin_data { node_name_env = "KUBELET_HOST" skip_kubelet_verification = true } }
}
telemetry { Prometheus { host = "127.0.11.20" port = 9988 } }
health_checks { listener_enabled = true bind_address = "127.0.11.20" bind_port = "8080" live_path = "/live" ready_path = "/ready" }
`

func loadAgent(t *testing.T, text string) (*Agent, error) {
	path := filepath.Join(t.TempDir(), "agent.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadAgent(path)
}

func TestAnAgentsConfigurationIsReadWithSPIREsDefaults(t *testing.T) {
	a, err := loadAgent(t, agentConf)
	if err != nil {
		t.Fatal(err)
	}
	if a.TrustDomain.Name() != "aws.example.org" || a.Cluster != "aws" || a.SyncInterval != 5*time.Second ||
		a.SocketPath != "run/spire/agent-sockets/spire-agent.sock" || a.HealthAddress != "127.0.11.20:8080" || a.MetricsAddress != "127.0.11.20:9988" {
		t.Errorf("%+v", a)
	}
}

func TestAnAgentsConfigurationThatCannotWorkIsRefusedWithTheCause(t *testing.T) {
	for _, bad := range []struct{ from, to, why string }{
		{"agent {", "agent {{", "unable to decode configuration"},
		{"trust_domain =", "# trust_domain =", "trust_domain must be configured"},
		{`"aws.example.org"`, `"A b"`, "could not parse trust_domain"},
		{`cluster = "aws"`, "", "configuration missing cluster"},
		{"k8s_psat", "x509pop", `plays NodeAttestor "k8s_psat" alone`},
		{`"k8s" {`, `"k8s" { enabled = false`, `plays WorkloadAttestor "k8s" alone`},
		{"agent {", "agent {\n experimental { sync_interval = \"often\" }", "could not parse synchronization interval"},
	} {
		if _, err := loadAgent(t, strings.Replace(agentConf, bad.from, bad.to, 1)); err == nil || !strings.Contains(err.Error(), bad.why) {
			t.Errorf("want %q, got %v", bad.why, err)
		}
	}
}
