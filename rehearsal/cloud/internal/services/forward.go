package services

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
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
	defer client.Close()
	backend, err := net.DialTimeout("tcp", f.backend(), 5*time.Second)
	if err != nil {
		_ = client.SetLinger(0) // the caller sees a reset, not an orderly end
		return
	}
	server := backend.(*net.TCPConn)
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() { pipe(server, client) })
	both.Go(func() { pipe(client, server) })
	both.Wait()
}

func pipe(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		// One side is gone without an orderly end: the other is to know at once.
		from.Close()
		to.Close()
	}
	_ = to.CloseWrite()
}
