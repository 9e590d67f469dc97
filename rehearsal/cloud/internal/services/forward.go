package services

import (
	"errors"
	"net"
	"sync"
	"time"

	"agentweave-mesh/rehearsal/cloud/internal/stream"
)

// forward listens on one port of a Service's address and passes connections on to its backends in turn. Connections
// outlive the listener, as they outlive a pod's readiness in a cluster.
type forward struct {
	listener net.Listener

	mu       sync.Mutex
	backends []string
	next     int
}

func newForward(address string) (*forward, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	f := &forward{listener: listener}
	go f.accept()
	return f, nil
}

func (f *forward) set(backends []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.backends = backends
}

func (f *forward) backend() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.backends) == 0 {
		return ""
	}
	f.next++
	return f.backends[f.next%len(f.backends)]
}

func (f *forward) accept() {
	for {
		client, err := f.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(100 * time.Millisecond) // out of file descriptors, for example
			continue
		}
		go f.pass(client.(*net.TCPConn))
	}
}

func (f *forward) pass(client *net.TCPConn) {
	backend, err := net.DialTimeout("tcp", f.backend(), 5*time.Second)
	if err != nil {
		_ = client.SetLinger(0) // the caller sees a reset, not an orderly end
		client.Close()
		return
	}
	stream.Join(client, backend.(*net.TCPConn))
}
