// Package egress is the way that the API server takes to kubelets and pods: an HTTP CONNECT proxy on a unix socket, which the API server is
// told of by its egress selector, as it is of konnectivity in managed clouds
// (https://kubernetes.io/docs/tasks/extend-kubernetes/setup-konnectivity/).
//
// The API server knows pods by addresses that nothing routes on loopback, and refuses to proxy to loopback ones. The proxy leads them
// to where their processes listen, and passes everything else on as it is.
package egress

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"agentweave-mesh/rehearsal/cloud/internal/config"
	"agentweave-mesh/rehearsal/cloud/internal/stream"
)

const dialLimit = 5 * time.Second

// Serve answers on the unix socket until the context ends. It returns when it listens.
func Serve(ctx context.Context, c *config.Config, socket string) error {
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) { // a killed predecessor's
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: proxy{c}, ReadHeaderTimeout: dialLimit}
	go func() { _ = server.Serve(listener) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return nil
}

type proxy struct{ config *config.Config }

func (p proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
		return
	}
	address, err := p.local(r.RequestURI)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	backend, err := (&net.Dialer{Timeout: dialLimit}).DialContext(r.Context(), "tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		backend.Close()
		return
	}
	if _, err := client.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		client.Close()
		backend.Close()
		return
	}
	// Whatever the caller sends, it sends after the answer, so that nothing of it was read yet.
	stream.Join(client.(*net.UnixConn), backend.(*net.TCPConn))
}

// local is the address at which the API server's `address` is reached.
func (p proxy) local(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if local, runs := p.config.LocalOfPodIP(host); runs {
		return net.JoinHostPort(local, port), nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && netip.MustParsePrefix(p.config.PodCIDR).Contains(ip) {
		return "", fmt.Errorf("the pod at %s is simulated; nothing listens there", host)
	}
	return address, nil
}
