// Package stream joins two connections.
package stream

import (
	"io"
	"net"
	"sync"
)

// Conn is a connection that each side can end by itself.
type Conn interface {
	net.Conn
	CloseWrite() error
}

// Join passes what comes from each of two connections on to the other, until both have ended, and closes them.
func Join(a, b Conn) {
	defer a.Close()
	defer b.Close()
	var both sync.WaitGroup
	both.Go(func() { pipe(a, b) })
	both.Go(func() { pipe(b, a) })
	both.Wait()
}

func pipe(to, from Conn) {
	if _, err := io.Copy(to, from); err != nil {
		// One side is gone without an orderly end: the other is to know at once.
		from.Close()
		to.Close()
	}
	_ = to.CloseWrite()
}
