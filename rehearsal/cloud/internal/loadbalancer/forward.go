package loadbalancer

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// forward listens on one address of a load balancer and passes connections on to its backends in turn.
type forward struct {
	listener net.Listener
	stop     context.CancelFunc

	mu       sync.Mutex
	backends []string
	next     int
}

func newForward(address string) (*forward, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &forward{listener: listener, stop: stop}
	go f.accept(ctx)
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
	f.next++
	return f.backends[f.next%len(f.backends)]
}

func (f *forward) accept(ctx context.Context) {
	for {
		client, err := f.listener.Accept()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			time.Sleep(100 * time.Millisecond) // out of file descriptors, for example
			continue
		}
		go f.pass(ctx, client.(*net.TCPConn))
	}
}

func (f *forward) pass(ctx context.Context, client *net.TCPConn) {
	defer client.Close()
	backend, err := net.DialTimeout("tcp", f.backend(), 5*time.Second)
	if err != nil {
		_ = client.SetLinger(0) // the caller sees a reset, not an orderly end
		return
	}
	server := backend.(*net.TCPConn)
	defer server.Close()
	defer context.AfterFunc(ctx, func() {
		client.Close()
		server.Close()
	})()
	var both sync.WaitGroup
	both.Go(func() { pipe(server, client) })
	both.Go(func() { pipe(client, server) })
	both.Wait()
}

func pipe(to, from *net.TCPConn) {
	_, _ = io.Copy(to, from)
	_ = to.CloseWrite()
}

// close stops listening and ends the connections.
func (f *forward) close() {
	f.stop()
	f.listener.Close()
}
