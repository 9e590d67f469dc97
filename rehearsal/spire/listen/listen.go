// Package listen holds the listeners of a program: opened one by one, watched together, closed at its end.
package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Group is a program's listeners.
type Group struct {
	log     *slog.Logger
	closers []func()
	ended   chan error
}

// New returns a group without listeners.
func New(log *slog.Logger) *Group { return &Group{log: log, ended: make(chan error, 8)} }

// Ended has the error of a listener that ended.
func (g *Group) Ended() <-chan error { return g.ended }

// Close ends all of them.
func (g *Group) Close() {
	for _, closeOne := range g.closers {
		closeOne()
	}
}

// Serve has a server, which stop ends, serve on a listener.
func (g *Group) Serve(server interface{ Serve(net.Listener) error }, stop func(), listener net.Listener) {
	g.closers = append(g.closers, stop)
	go func() { g.ended <- server.Serve(listener) }()
}

// HTTP serves at an address, unless it is empty: over TLS where there is an identity.
func (g *Group) HTTP(what, address string, handler http.Handler, identity *tls.Config) error {
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
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug)}
	g.Serve(server, func() { _ = server.Close() }, listener)
	g.log.Info("Serving "+what, "address", address)
	return nil
}

// Unix listens on a unix socket of this mode, in place of one that a killed process left behind.
func Unix(path string, mode os.FileMode) (net.Listener, error) {
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
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
	return listener, os.Chmod(path, mode)
}
