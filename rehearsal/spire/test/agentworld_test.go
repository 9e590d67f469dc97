package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const agentPod, workloadPod = "spire-system_spire-agent-1", "agentweave_agent-1"

// agent is a stand-in for spire-agent on node-1 of a cloud.
type agent struct {
	*cloud
	api     *apiServer
	process *exec.Cmd
	health  string
}

// newAgent starts an agent in a directory of pods as a cloud of the rehearsal has it; its server need not run yet.
func newAgent(t *testing.T, server string) *agent {
	t.Helper()
	a := &agent{cloud: newCloud(t, server, "a.example.org"), api: newAPIServer(t)}
	a.health = fmt.Sprintf("%s:%d", address, freePort(t))
	write(t, a.pod(agentPod, "agent.conf"), fmt.Sprintf(`
agent {
  trust_domain = "a.example.org"
  socket_path = "run/spire/agent-sockets/spire-agent.sock"
  log_level = "DEBUG"
  log_format = "json"
  experimental { sync_interval = "50ms" }
}
plugins {
  NodeAttestor "k8s_psat" { plugin_data { cluster = "a" } }
  WorkloadAttestor "k8s" { plugin_data { node_name_env = "KUBELET_HOST" skip_kubelet_verification = true } }
}
health_checks { listener_enabled = true bind_address = %q bind_port = %q live_path = "/live" ready_path = "/ready" }
`, address, a.health[len(address)+1:]))
	a.api.writeAccount(t, a.pod(agentPod, "var/run/secrets/kubernetes.io/serviceaccount"), "spire-system")
	a.link(a.directory, "spire_spire-server-0", "tmp/spire-server/private")
	a.addPod(agentPod, "node-1")
	a.addPod(workloadPod, "node-1")

	a.run()
	return a
}

// run starts the agent's process.
func (a *agent) run() {
	a.t.Helper()
	process := exec.Command(standInAgent, "run", "-config", "agent.conf")
	process.Dir = a.pod(agentPod, "")
	target := must(url.Parse(a.api.URL))
	process.Env = []string{"HOSTNAME=spire-agent-1", "KUBERNETES_SERVICE_HOST=" + target.Hostname(), "KUBERNETES_SERVICE_PORT=" + target.Port()}
	log := must(os.OpenFile(a.path("agent.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600))
	defer log.Close()
	process.Stderr = log
	if err := process.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.process = process
	a.t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
		if a.t.Failed() {
			log, _ := os.ReadFile(a.path("agent.log"))
			a.t.Logf("the agent's log:\n%s", log)
		}
	})
}

func (a *agent) pod(name, file string) string { return a.path(filepath.Join("pods", name, file)) }

func (a *agent) link(target, pod, path string) {
	a.t.Helper()
	err := os.MkdirAll(filepath.Dir(a.pod(pod, path)), 0o700)
	if err == nil {
		err = os.Symlink(target, a.pod(pod, path))
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// addPod makes a pod's directory, which sees the agent's socket, and its object in the API server.
func (a *agent) addPod(directory, node string) {
	namespace, name, _ := strings.Cut(directory, "_")
	a.link(a.pod(agentPod, "run/spire/agent-sockets"), directory, "spiffe-workload-api")
	a.api.set("/api/v1/namespaces/"+namespace+"/pods/"+name, map[string]any{
		"metadata": map[string]any{
			"namespace": namespace, "name": name, "uid": "uid-of-" + name, "labels": map[string]string{"app": "agent"},
			"ownerReferences": []any{map[string]any{"kind": "ReplicaSet", "name": "agent", "uid": "1"}},
		},
		"spec":   map[string]any{"serviceAccountName": "agentweave-agent", "nodeName": node, "containers": []any{map[string]any{"name": "agent", "image": "node:1"}}},
		"status": map[string]any{"hostIP": "127.0.0.1"},
	})
}

func (a *agent) socket() string { return a.pod(agentPod, "run/spire/agent-sockets/spire-agent.sock") }

// waitFor returns once a health check succeeds.
func (a *agent) waitFor(path string) {
	a.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if a.probe(path) == http.StatusOK {
			return
		}
	}
	a.t.Fatalf("%s does not succeed within 30 s", path)
}

// waitLog returns once the agent's log has a text.
func (a *agent) waitLog(text string) {
	a.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if log, _ := os.ReadFile(a.path("agent.log")); strings.Contains(string(log), text) {
			return
		}
	}
	a.t.Fatalf("the agent's log never says %s", text)
}

// probe returns the status of a health check, or 0 where none is served.
func (a *agent) probe(path string) int {
	response, err := http.Get("http://" + a.health + path)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// register makes the node's alias and an entry for the workload, and returns the id of the latter.
func (a *agent) register(ttl int, selectors ...string) string {
	a.t.Helper()
	selectors = append([]string{"ns:agentweave", "sa:agentweave-agent"}, selectors...)
	a.must(`{"entries":[{"spiffe_id":"spiffe://a.example.org/node/a","parent_id":"spiffe://a.example.org/spire/server","selectors":[{"type":"k8s_psat","value":"cluster:a"}]}]}`, "entry", "create", "-data", "-")
	return entryID(a.t, a.must(a.entry("", ttl, selectors), "entry", "create", "-data", "-", "-output", "json"))
}

func (a *agent) entry(id string, ttl int, selectors []string, federatesWith ...string) string {
	entry := map[string]any{"spiffe_id": "spiffe://a.example.org/region/aws/agent", "parent_id": "spiffe://a.example.org/node/a", "x509_svid_ttl": ttl, "federates_with": federatesWith}
	var all []map[string]string
	for _, value := range selectors {
		all = append(all, map[string]string{"type": "k8s", "value": value})
	}
	entry["selectors"] = all
	if id != "" {
		entry["entry_id"] = id
	}
	return string(must(json.Marshal(map[string]any{"entries": []any{entry}})))
}

// update changes the workload's entry.
func (a *agent) update(id string, ttl int, federatesWith ...string) {
	a.t.Helper()
	a.must(a.entry(id, ttl, []string{"ns:agentweave"}, federatesWith...), "entry", "update", "-data", "-")
}

// rotate activates the authority that is prepared, and taints the one before.
func (a *agent) rotate() {
	a.t.Helper()
	var ids struct {
		Active, Prepared struct {
			ID string `json:"authority_id"`
		}
	}
	if err := json.Unmarshal([]byte(a.must("", "localauthority", "x509", "show", "-output", "json")), &ids); err != nil {
		a.t.Fatal(err)
	}
	a.must("", "localauthority", "x509", "activate", "-authorityID", ids.Prepared.ID)
	a.must("", "localauthority", "x509", "taint", "-authorityID", ids.Active.ID)
}
