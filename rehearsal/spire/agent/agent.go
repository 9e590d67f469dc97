// Package agent is a stand-in for SPIRE's spire-agent, for the local pods of a rehearsal's cloud: a real Workload API
// with identities that the cloud's SPIRE server signs.
//
// What it plays is node attestation. Where a real agent proves to the server on which node it is, is given an identity
// of its own and may then ask for the SVIDs of its node's workloads, this one opens the server's private socket, as an
// administrator does, and limits itself to what such an agent would be given.
package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"agentweave-mesh/rehearsal/spire/agent/attest"
	"agentweave-mesh/rehearsal/spire/agent/identity"
	"agentweave-mesh/rehearsal/spire/conf"
	"agentweave-mesh/rehearsal/spire/kube"
	"agentweave-mesh/rehearsal/spire/listen"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

// Notice says plainly what this program is.
const Notice = "This is a stand-in for SPIRE's spire-agent, made for rehearsals and tests of agentweave-mesh. It is not SPIRE: never run it in production. It plays node attestation: it takes identities from the server's private socket."

// ServerSocket is the server's socket for administrators, seen from the working directory, which is the directory of
// the agent's pod: it lies beside that of the server's pod.
const ServerSocket = "../spire_spire-server-0/tmp/spire-server/private/api.sock"

// startInterval is how long the agent waits between attempts to reach what it needs to start.
const startInterval = 500 * time.Millisecond

// agent is one run.
type agent struct {
	config  *conf.Agent
	log     *slog.Logger
	started time.Time
	ready   atomic.Bool
	streams atomic.Int64
}

// Run serves until the context ends and then returns nil. Its log goes to standard error.
func Run(ctx context.Context, c *conf.Agent) error {
	log, err := c.Logger()
	if err != nil {
		return err
	}
	log.Warn(Notice)
	client, err := kube.InCluster()
	if err != nil {
		return err
	}
	// A server that comes back is to be found soon, so that the wait between attempts to connect stays short.
	pace := grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}, MinConnectTimeout: time.Second}
	conn, err := grpc.NewClient("unix:"+ServerSocket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithConnectParams(pace))
	if err != nil {
		return err
	}
	defer conn.Close()
	a := &agent{config: c, log: log, started: time.Now()}
	listeners := listen.New(log)
	defer listeners.Close()
	if err := listeners.HTTP("health checks", c.HealthAddress, a.health(), nil); err != nil {
		return err
	}
	if err := listeners.HTTP("metrics", c.MetricsAddress, http.HandlerFunc(a.metrics), nil); err != nil {
		return err
	}
	node, identities := a.attest(ctx, client, conn)
	if node == nil {
		return nil
	}
	socket, err := listen.Unix(c.SocketPath, 0o777)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.Creds(attest.Peers()), grpc.StreamInterceptor(securityHeader))
	workload.RegisterSpiffeWorkloadAPIServer(server, &workloads{node: node, identities: identities, log: log, streams: &a.streams})
	listeners.Serve(server, server.Stop, socket)
	a.ready.Store(true)
	log.Info("Serving the Workload API", "address", c.SocketPath, "node", node.Name)
	return a.follow(ctx, identities, listeners.Ended())
}

// attest waits until node and server are known; it returns nothing if the context ended before.
func (a *agent) attest(ctx context.Context, client *kube.Client, conn grpc.ClientConnInterface) (*attest.Node, *identity.Manager) {
	for {
		node, err := attest.FindNode(ctx, client, a.config.Cluster)
		if err == nil {
			identities := identity.New(conn, a.config.TrustDomain, node.Selectors, a.log)
			if err = identities.Sync(ctx); err == nil {
				return node, identities
			}
		}
		a.log.Warn("Node not attested yet", "error", err)
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(startInterval):
		}
	}
}

// follow keeps entries and bundles what the server says. While the server is away, workloads keep what they have.
func (a *agent) follow(ctx context.Context, identities *identity.Manager, ended <-chan error) error {
	ticker := time.NewTicker(a.config.SyncInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			a.log.Info("Agent stopped gracefully")
			return nil
		case err := <-ended:
			return err
		case <-ticker.C:
			if err := identities.Sync(ctx); err != nil && ctx.Err() == nil {
				a.log.Error("Synchronize failed", "error", err)
			}
		}
	}
}

// health is live from the start, and ready once the Workload API is served.
func (a *agent) health() http.Handler {
	mux := http.NewServeMux()
	if a.config.HealthAddress == "" {
		return mux
	}
	answer := func(healthy func() bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if !healthy() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			_, _ = io.WriteString(w, "{\"agent\":{}}\n")
		}
	}
	mux.HandleFunc(a.config.LivePath, answer(func() bool { return true }))
	mux.HandleFunc(a.config.ReadyPath, answer(a.ready.Load))
	return mux
}

// metrics answers with two of SPIRE's metrics under SPIRE's names (doc/telemetry), in Prometheus' text format.
func (a *agent) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintf(w, "# TYPE spire_agent_uptime_in_ms gauge\nspire_agent_uptime_in_ms %d\n", time.Since(a.started).Milliseconds())
	fmt.Fprintf(w, "# TYPE spire_agent_workload_api_connections gauge\nspire_agent_workload_api_connections %d\n", a.streams.Load())
}
