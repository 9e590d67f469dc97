// Package control is the rehearsal's tailnet: Tailscale's own test control server and relay, and on top of it what that one lacks of a
// real tailnet: nodes that are online or not, names that are given once, routes that move to another router, and a policy.
package control

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"tailscale.com/derp/derpserver"
	"tailscale.com/net/stunserver"
	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/key"
	"tailscale.com/types/logger"
)

const (
	// keepAlive is how often a node hears of the server.
	keepAlive = 5 * time.Second
	// deadAfter is how long what is sent to a node may go without an answer until the node counts as gone.
	deadAfter = 8 * time.Second
)

// Server is a tailnet.
type Server struct {
	config  *Config
	control *testcontrol.Server
	nodes   *nodes
	closers []func()
}

// Start serves a tailnet until Close.
func Start(c *Config, logf logger.Logf) (*Server, error) {
	s := &Server{config: c, nodes: newNodes(c)}
	s.control = &testcontrol.Server{
		Logf:            logf,
		ExplicitBaseURL: c.url(),
		MagicDNSDomain:  c.Domain,
		AltMapStream:    s.serveMap,
		// No node has a capability that the mesh does not need, such as certificates or Funnel.
		DefaultNodeCapabilities: &tailcfg.NodeCapMap{},
	}
	s.intercept()
	listener, err := listen(c.Address, c.Port)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { listener.Close() })
	if err := s.relay(logf); err != nil {
		s.Close()
		return nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(s.serve), ErrorLog: logger.StdLogger(logf)}
	s.closers = append(s.closers, func() { server.Close() })
	go server.Serve(listener)
	return s, nil
}

// Reconfigure takes over the routes and the globals of a configuration; the rest stays as it was at the start.
func (s *Server) Reconfigure(c *Config) { s.nodes.reconfigure(c) }

// Close ends all that Start has started.
func (s *Server) Close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
}

// serve keeps requests of strangers away from the test server, which ends the process when it does not know a path.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == statusPath {
		s.serveStatus(w)
		return
	}
	for _, path := range []string{"/key", "/ts2021", "/c2n/", "/generate_204"} {
		if r.URL.Path == path || (strings.HasSuffix(path, "/") && strings.HasPrefix(r.URL.Path, path)) {
			s.control.ServeHTTP(w, r)
			return
		}
	}
	http.NotFound(w, r)
}

// relay starts a DERP relay, for nodes that do not reach each other directly, and STUN, which tells a node its own address.
func (s *Server) relay(logf logger.Logf) error {
	port := s.config.Port + 1
	relay := derpserver.New(key.NewNode(), logf)
	listener, err := listen(s.config.Address, port)
	if err != nil {
		return err
	}
	server := httptest.NewUnstartedServer(derpserver.Handler(relay))
	server.Listener.Close()
	server.Listener = listener
	server.Config.ErrorLog = logger.StdLogger(logf)
	server.StartTLS()
	ctx, cancel := context.WithCancel(context.Background())
	stun := stunserver.New(ctx)
	s.closers = append(s.closers, cancel, func() { relay.Close() }, server.CloseClientConnections)
	if err := stun.Listen(net.JoinHostPort(s.config.Address, fmt.Sprint(port))); err != nil {
		return err
	}
	go stun.Serve()
	s.control.DERPMap = &tailcfg.DERPMap{
		OmitDefaultRegions: true,
		Regions: map[int]*tailcfg.DERPRegion{1: {
			RegionID: 1, RegionCode: "rehearsal", RegionName: "rehearsal",
			Nodes: []*tailcfg.DERPNode{{
				Name: "1", RegionID: 1, HostName: s.config.Address, IPv4: s.config.Address, IPv6: "none",
				DERPPort: int(port), STUNPort: int(port), STUNTestIP: s.config.Address,
				InsecureForTests: true, // its certificate is signed by nobody
			}},
		}},
	}
	return nil
}

// listen makes a listener whose connections end when nobody answers for deadAfter.
func listen(address string, port uint16) (net.Listener, error) {
	config := net.ListenConfig{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: deadAfter / 2, Interval: deadAfter / 4, Count: 2},
		Control: func(_, _ string, connection syscall.RawConn) (err error) {
			outer := connection.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter.Milliseconds()))
			})
			if outer != nil {
				return outer
			}
			return err
		},
	}
	return config.Listen(context.Background(), "tcp4", net.JoinHostPort(address, fmt.Sprint(port)))
}
