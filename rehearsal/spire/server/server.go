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
	"strings"
	"sync"
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

// Run serves until the context ends and then returns nil. Its log goes to the file of the configuration, else to standard.
func Run(ctx context.Context, c *conf.Config, standard io.Writer) error {
	log, closeLog, err := logger(c, standard)
	if err != nil {
		return err
	}
	defer closeLog()
	log.Warn(cli.Notice, "version", cli.Version)
	for _, warning := range c.Warnings {
		log.Warn(warning)
	}
	for _, plugin := range c.IgnoredPlugins {
		log.Info("Plugin accepted and ignored by the stand-in", "plugin", plugin)
	}
	if err := os.MkdirAll(c.DataDir, 0o750); err != nil {
		return fmt.Errorf("failed to create data directory: %w", err)
	}
	data, err := store.Open(c.DatabasePath)
	if err != nil {
		return err
	}
	keys, err := authority.OpenKeys(c.KeysPath)
	if err != nil {
		return err
	}
	authorities, err := authority.New(authority.Config{
		TrustDomain: c.TrustDomain, Store: data, Keys: keys, CATTL: c.CATTL, X509SVIDTTL: c.X509SVIDTTL, Now: time.Now, Log: log,
		Subject: authority.Subject(c.CASubject.Country, c.CASubject.Organization, c.CASubject.CommonName),
	})
	if err != nil {
		return err
	}
	poller := federation.NewPoller(data, log)
	s := &services{config: c, log: log, data: data, authorities: authorities, poller: poller, started: time.Now()}
	return s.run(ctx)
}

type services struct {
	config      *conf.Config
	log         *slog.Logger
	data        *store.Store
	authorities *authority.Manager
	poller      *federation.Poller
	started     time.Time

	group   sync.WaitGroup
	closers []func()
	failed  chan error
}

func (s *services) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	s.failed = make(chan error, 8)
	err := s.listen()
	if err == nil {
		s.group.Go(func() { s.poller.Run(ctx) })
		s.group.Go(func() { s.rotate(ctx) })
		select {
		case <-ctx.Done():
		case err = <-s.failed:
		}
	}
	stop()
	for _, closeOne := range s.closers {
		closeOne()
	}
	s.group.Wait()
	if err != nil {
		s.log.Error("Server crashed", "error", err)
		return err
	}
	s.log.Info("Server stopped gracefully")
	return nil
}

func (s *services) rotate(ctx context.Context) {
	ticker := time.NewTicker(authority.RotateInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := s.authorities.Rotate(); err != nil {
				s.log.Error("Unable to rotate authorities", "error", err)
			}
		}
	}
}

// listen opens every listener before anything is served, so that a port in use is told of at once.
func (s *services) listen() error {
	c := s.config
	operations := &api.Service{TrustDomain: c.TrustDomain, Store: s.data, Authorities: s.authorities, Poller: s.poller}
	local := grpc.NewServer()
	operations.Register(local)
	socket, err := listenUnix(c.SocketPath)
	if err != nil {
		return err
	}
	s.serveGRPC(local, socket)

	identity := &tls.Config{GetCertificate: s.authorities.ServerSVID, MinVersion: tls.VersionTLS12}
	// Agents would use this port. The stand-in serves none, but holds the port and shows its SVID there, as SPIRE does.
	remote, err := net.Listen("tcp", c.BindAddress)
	if err != nil {
		return err
	}
	s.serveGRPC(grpc.NewServer(grpc.Creds(credentials.NewTLS(identity))), remote)

	if c.Endpoint != nil {
		handler := federation.Endpoint(s.data, c.TrustDomain.Name(), c.Endpoint.RefreshHint, s.log)
		if err := s.serveHTTP(c.Endpoint.Address, handler, identity); err != nil {
			return err
		}
		s.log.Info("Serving bundle endpoint", "addr", c.Endpoint.Address, "refresh_hint", c.Endpoint.RefreshHint)
	}
	if c.HealthAddress != "" {
		mux := http.NewServeMux()
		mux.HandleFunc(c.LivePath, healthy)
		mux.HandleFunc(c.ReadyPath, healthy)
		if err := s.serveHTTP(c.HealthAddress, mux, nil); err != nil {
			return err
		}
		s.log.Info("Serving health checks", "address", c.HealthAddress)
	}
	if c.MetricsAddress != "" {
		if err := s.serveHTTP(c.MetricsAddress, s.metrics(), nil); err != nil {
			return err
		}
		s.log.Info("Serving metrics", "address", c.MetricsAddress)
	}
	s.log.Info("Starting Server APIs", "address", c.BindAddress, "socket", c.SocketPath)
	return nil
}

func (s *services) serveGRPC(server *grpc.Server, listener net.Listener) {
	s.closers = append(s.closers, server.Stop)
	s.group.Go(func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			s.failed <- err
		}
	})
}

func (s *services) serveHTTP(address string, handler http.Handler, identity *tls.Config) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	if identity != nil {
		identity = identity.Clone()
		identity.NextProtos = []string{"h2", "http/1.1"}
		listener = tls.NewListener(listener, identity)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	s.closers = append(s.closers, func() { _ = server.Close() })
	s.group.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	})
	return nil
}

// healthy answers once listeners are open, and by then the server has its authorities: it is live and ready.
func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{\"server\":{}}\n")
}

func listenUnix(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("create UDS listener: %w", err)
	}
	// A socket that a killed server left behind is in the way of the next one.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("create UDS listener: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("create UDS listener: %w", err)
	}
	// Whoever can open the socket is an administrator of the trust domain.
	return listener, os.Chmod(path, 0o770)
}

func logger(c *conf.Config, standard io.Writer) (*slog.Logger, func(), error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(strings.ReplaceAll(c.LogLevel, "warning", "warn"))); err != nil {
		return nil, nil, fmt.Errorf("could not start logger: not a valid log level: %q", c.LogLevel)
	}
	closeLog := func() {}
	if c.LogFile != "" {
		file, err := os.OpenFile(c.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
		if err != nil {
			return nil, nil, err
		}
		standard, closeLog = file, func() { _ = file.Close() }
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.LevelKey {
			a.Value = slog.StringValue(strings.ReplaceAll(strings.ToLower(a.Value.String()), "warn", "warning"))
		}
		return a
	}}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(standard, options)), closeLog, nil
	}
	return slog.New(slog.NewTextHandler(standard, options)), closeLog, nil
}
