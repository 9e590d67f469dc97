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
	"path/filepath"
	"time"

	"agentweave-mesh/rehearsal/spire/api"
	"agentweave-mesh/rehearsal/spire/authority"
	"agentweave-mesh/rehearsal/spire/cli"
	"agentweave-mesh/rehearsal/spire/conf"
	"agentweave-mesh/rehearsal/spire/federation"
	"agentweave-mesh/rehearsal/spire/store"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Run serves until the context ends and then returns nil. Its log goes to standard error.
func Run(ctx context.Context, c *conf.Config) error {
	log, err := logger(c)
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
	s := &services{config: c, log: log, data: data, authorities: authorities, started: time.Now(), ended: make(chan error, 8)}
	return s.run(ctx)
}

type services struct {
	config      *conf.Config
	log         *slog.Logger
	data        *store.Store
	authorities *authority.Manager
	started     time.Time

	closers []func()
	// ended has the error of a listener that ended.
	ended chan error
}

func (s *services) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	poller := federation.NewPoller(s.data, s.log)
	err := s.listen(poller)
	defer func() {
		for _, closeOne := range s.closers {
			closeOne()
		}
	}()
	if err != nil {
		return err
	}
	go poller.Run(ctx)
	ticker := time.NewTicker(authority.RotateInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			s.log.Info("Server stopped gracefully")
			return nil
		case err := <-s.ended:
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
	socket, err := listenUnix(c.SocketPath)
	if err != nil {
		return err
	}
	s.serve(local, local.Stop, socket)

	identity := &tls.Config{GetCertificate: s.authorities.ServerSVID, MinVersion: tls.VersionTLS12}
	// Agents would use this port. The stand-in serves none, but holds the port and shows its SVID there, as SPIRE does.
	remote := grpc.NewServer(grpc.Creds(credentials.NewTLS(identity)))
	listener, err := net.Listen("tcp", c.BindAddress)
	if err != nil {
		return err
	}
	s.serve(remote, remote.Stop, listener)

	health := http.NewServeMux()
	if c.HealthAddress != "" {
		health.HandleFunc(c.LivePath, healthy)
		health.HandleFunc(c.ReadyPath, healthy)
	}
	return errors.Join(
		s.serveHTTP("bundle endpoint", c.EndpointAddress, federation.Endpoint(s.data, c.TrustDomain.Name(), c.RefreshHint), identity),
		s.serveHTTP("health checks", c.HealthAddress, health, nil),
		s.serveHTTP("metrics", c.MetricsAddress, http.HandlerFunc(s.metrics), nil),
	)
}

func (s *services) serve(server interface{ Serve(net.Listener) error }, stop func(), listener net.Listener) {
	s.closers = append(s.closers, stop)
	go func() { s.ended <- server.Serve(listener) }()
}

// serveHTTP serves at an address, unless it is empty: over TLS where there is an identity.
func (s *services) serveHTTP(what, address string, handler http.Handler, identity *tls.Config) error {
	if address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	if identity != nil {
		listener = tls.NewListener(listener, identity)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	s.serve(server, func() { _ = server.Close() }, listener)
	s.log.Info("Serving "+what, "address", address)
	return nil
}

// healthy answers once listeners are open, and by then the server has its authorities: it is live and ready.
func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{\"server\":{}}\n")
}

func listenUnix(path string) (net.Listener, error) {
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		// A socket that a killed server left behind is in the way of the next one.
		if err = os.Remove(path); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	var listener net.Listener
	if err == nil {
		listener, err = net.Listen("unix", path)
	}
	if err != nil {
		return nil, fmt.Errorf("create UDS listener: %w", err)
	}
	// Whoever can open the socket is an administrator of the trust domain.
	return listener, os.Chmod(path, 0o770)
}

func logger(c *conf.Config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, fmt.Errorf("could not start logger: not a valid log level: %q", c.LogLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options)), nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options)), nil
}
