// What the three programs share: serving and asking over unix sockets, and /healthz.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

// patience is how long a health check may take: less than the kubelet's (timeoutSeconds of the mesh's pod is 5).
const patience = 3 * time.Second

// serveSocket serves gRPC on a unix socket until the context ends, then lets calls finish and removes the socket.
func serveSocket(ctx context.Context, path string, register func(*grpc.Server)) error {
	listener, err := listen(path)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(logFailures))
	register(server)
	defer context.AfterFunc(ctx, server.GracefulStop)()
	log.Printf("serving on %s", path)
	return server.Serve(listener)
}

// listen listens on a unix socket that only root may use. A predecessor that was killed has left its socket, which nothing else removes.
func listen(path string) (net.Listener, error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is in the way and is not a socket", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

func logFailures(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	response, err := handler(ctx, req)
	if err != nil {
		log.Printf("%s: %v", info.FullMethod, err)
	}
	return response, err
}

// dial is for calls to who serves on a unix socket. One that waits (grpc.WaitForReady) sees soon that someone does.
func dial(path string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix:"+path, append(options,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, MaxDelay: time.Second}, MinConnectTimeout: time.Second,
		}),
	)...)
}

// ask makes one call over a connection of its own.
func ask[Answer any](path string, call func(*grpc.ClientConn) (Answer, error)) (Answer, error) {
	connection, err := dial(path)
	if err != nil {
		var none Answer
		return none, err
	}
	defer connection.Close()
	return call(connection)
}

// serveHealth answers /healthz with what the check says at that moment, until the context ends.
func serveHealth(ctx context.Context, address string, check func(context.Context) error) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		if err := check(ctx); err != nil {
			log.Printf("unhealthy: %v", err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, "ok")
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: patience}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
