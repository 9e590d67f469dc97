// Package server runs the stand-in: everything a server.conf asks for, until it is told to stop.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"agentweave-mesh/rehearsal/spire/api"
	"agentweave-mesh/rehearsal/spire/authority"
	"agentweave-mesh/rehearsal/spire/cli"
	"agentweave-mesh/rehearsal/spire/conf"
	"agentweave-mesh/rehearsal/spire/federation"
	"agentweave-mesh/rehearsal/spire/kube"
	"agentweave-mesh/rehearsal/spire/listen"
	"agentweave-mesh/rehearsal/spire/publish"
	"agentweave-mesh/rehearsal/spire/store"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Run serves until the context ends and then returns nil. Its log goes to standard error.
func Run(ctx context.Context, c *conf.Config) error {
	log, err := c.Logger()
	if err != nil {
		return err
	}
	log.Warn(cli.Notice, "version", cli.Version)
	for _, warning := range c.Warnings {
		log.Warn(warning)
	}
	log.Info("Plugins accepted and ignored by the stand-in", "plugins", c.IgnoredPlugins)
	if err := os.MkdirAll(c.DataDir, 0o750); err != nil {
		return fmt.Errorf("failed to create data directory: %w", err)
	}
	data, err := store.Open(c.DatabasePath)
	if err != nil {
		return err
	}
	authorities, err := authority.New(authority.Config{
		TrustDomain: c.TrustDomain, Store: data, CATTL: c.CATTL, X509SVIDTTL: c.X509SVIDTTL, Subject: c.CASubject, Now: time.Now, Log: log,
	})
	if err != nil {
		return err
	}
	publishers, err := newPublishers(c, data, log)
	if err != nil {
		return err
	}
	s := &services{config: c, log: log, data: data, authorities: authorities, publishers: publishers, started: time.Now(), listeners: listen.New(log)}
	return s.run(ctx)
}

type services struct {
	config      *conf.Config
	log         *slog.Logger
	data        *store.Store
	authorities *authority.Manager
	publishers  []*publish.Publisher
	started     time.Time
	listeners   *listen.Group
}

func newPublishers(c *conf.Config, data *store.Store, log *slog.Logger) (publishers []*publish.Publisher, err error) {
	for _, target := range c.Publications {
		client, err := kube.FromKubeconfig(target.Kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("failed to create Kubernetes client: %w", err)
		}
		publishers = append(publishers, &publish.Publisher{Target: target, Client: client, Store: data, TrustDomain: c.TrustDomain.Name(), Log: log})
	}
	return publishers, nil
}

func (s *services) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	poller := federation.NewPoller(s.data, s.log)
	err := s.listen(poller)
	defer s.listeners.Close()
	if err != nil {
		return err
	}
	go poller.Run(ctx)
	for _, publisher := range s.publishers {
		go publisher.Run(ctx)
	}
	ticker := time.NewTicker(authority.RotateInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			s.log.Info("Server stopped gracefully")
			return nil
		case err := <-s.listeners.Ended():
			return err
		case <-ticker.C:
			if err := s.authorities.Rotate(); err != nil {
				s.log.Error("Unable to rotate authorities", "error", err)
			}
		}
	}
}

func (s *services) listen(poller *federation.Poller) error {
	c := s.config
	local := grpc.NewServer()
	(&api.Service{TrustDomain: c.TrustDomain, Store: s.data, Authorities: s.authorities, Poller: poller}).Register(local)
	// Whoever can open the socket is an administrator of the trust domain.
	socket, err := listen.Unix(c.SocketPath, 0o770)
	if err != nil {
		return err
	}
	s.listeners.Serve(local, local.Stop, socket)

	identity := &tls.Config{GetCertificate: s.authorities.ServerSVID, MinVersion: tls.VersionTLS12}
	// Agents would use this port. The stand-in serves none, but holds the port and shows its SVID there, as SPIRE does.
	remote := grpc.NewServer(grpc.Creds(credentials.NewTLS(identity)))
	listener, err := net.Listen("tcp", c.BindAddress)
	if err != nil {
		return err
	}
	s.listeners.Serve(remote, remote.Stop, listener)

	health := http.NewServeMux()
	if c.HealthAddress != "" {
		health.HandleFunc(c.LivePath, healthy)
		health.HandleFunc(c.ReadyPath, healthy)
	}
	return errors.Join(
		s.listeners.HTTP("bundle endpoint", c.EndpointAddress, federation.Endpoint(s.data, c.TrustDomain.Name(), c.RefreshHint), identity),
		s.listeners.HTTP("health checks", c.HealthAddress, health, nil),
		s.listeners.HTTP("metrics", c.MetricsAddress, http.HandlerFunc(s.metrics), nil),
	)
}

// healthy answers once listeners are open, and by then the server has its authorities: it is live and ready.
func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{\"server\":{}}\n")
}
