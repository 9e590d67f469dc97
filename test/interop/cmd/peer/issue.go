package main

import (
	"bytes"
	"context"
	"net"
	"sync"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// issuance is what a Workload API gives from now on to whoever asks at a socket. Certificates are DER.
type issuance struct {
	Socket    string              `json:"socket"`
	SVIDs     []svid              `json:"svids"`
	Federated map[string][][]byte `json:"federated"`
}

type svid struct {
	ID     string   `json:"id"`
	Chain  [][]byte `json:"chain"`
	Key    []byte   `json:"key"`
	Bundle [][]byte `json:"bundle"`
}

// message is the issuance as it goes over the wire; nil when there is no identity.
func (i issuance) message() *workload.X509SVIDResponse {
	if len(i.SVIDs) == 0 {
		return nil
	}
	response := &workload.X509SVIDResponse{FederatedBundles: map[string][]byte{}}
	for _, each := range i.SVIDs {
		response.Svids = append(response.Svids, &workload.X509SVID{
			SpiffeId:    each.ID,
			X509Svid:    bytes.Join(each.Chain, nil),
			X509SvidKey: each.Key,
			Bundle:      bytes.Join(each.Bundle, nil),
		})
	}
	for id, authorities := range i.Federated {
		response.FederatedBundles[id] = bytes.Join(authorities, nil)
	}
	return response
}

// api is the Workload API of one socket. It asks nobody who they are.
type api struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	mu      sync.Mutex
	current *workload.X509SVIDResponse
	changed chan struct{}
}

func (a *api) set(response *workload.X509SVIDResponse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = response
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *api) get() (*workload.X509SVIDResponse, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current, a.changed
}

// FetchX509SVID sends the identity, and sends it again whenever it changes.
func (a *api) FetchX509SVID(_ *workload.X509SVIDRequest, stream grpc.ServerStreamingServer[workload.X509SVIDResponse]) error {
	header, _ := metadata.FromIncomingContext(stream.Context())
	if value := header.Get("workload.spiffe.io"); len(value) != 1 || value[0] != "true" {
		return status.Error(codes.InvalidArgument, "security header missing from request")
	}
	for {
		response, changed := a.get()
		if response == nil {
			return status.Error(codes.PermissionDenied, "no identity issued")
		}
		if err := stream.Send(response); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return nil
		}
	}
}

// issue serves Workload APIs on the sockets that it is told, and pushes what they give.
func issue(context.Context, []string) error {
	apis := map[string]*api{}
	return each(func(order issuance) error {
		socket := apis[order.Socket]
		if socket == nil {
			listener, err := net.Listen("unix", order.Socket)
			if err != nil {
				return err
			}
			socket = &api{changed: make(chan struct{})}
			apis[order.Socket] = socket
			server := grpc.NewServer()
			workload.RegisterSpiffeWorkloadAPIServer(server, socket)
			go func() { _ = server.Serve(listener) }() // it ends with the process
		}
		socket.set(order.message())
		tell(map[string]string{"socket": order.Socket})
		return nil
	})
}
