package agent

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"agentweave-mesh/rehearsal/spire/agent/attest"
	"agentweave-mesh/rehearsal/spire/agent/identity"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// workloads serves the X.509 half of the SPIFFE Workload API; the rest of it is answered "unimplemented".
type workloads struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	node       *attest.Node
	identities *identity.Manager
	log        *slog.Logger
	streams    *atomic.Int64
}

// securityHeader refuses calls that a browser or another program could be made to send unawares (SPIFFE Workload
// Endpoint, section 4.1).
func securityHeader(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if values := metadata.ValueFromIncomingContext(stream.Context(), "workload.spiffe.io"); len(values) != 1 || values[0] != "true" {
		return status.Error(codes.InvalidArgument, "security header missing from request")
	}
	return handle(server, stream)
}

func (w *workloads) FetchX509SVID(_ *workload.X509SVIDRequest, stream grpc.ServerStreamingServer[workload.X509SVIDResponse]) error {
	return watch(stream.Context(), w, stream.Send, func(u *identity.Update) *workload.X509SVIDResponse {
		response := &workload.X509SVIDResponse{FederatedBundles: map[string][]byte{}}
		for _, svid := range u.SVIDs {
			response.Svids = append(response.Svids, &workload.X509SVID{
				SpiffeId: svid.ID.String(), X509Svid: svid.Chain, X509SvidKey: svid.Key, Bundle: authorities(u.Bundle), Hint: svid.Hint,
			})
		}
		for _, bundle := range u.Federated {
			response.FederatedBundles["spiffe://"+bundle.TrustDomain] = authorities(bundle)
		}
		return response
	})
}

func (w *workloads) FetchX509Bundles(_ *workload.X509BundlesRequest, stream grpc.ServerStreamingServer[workload.X509BundlesResponse]) error {
	return watch(stream.Context(), w, stream.Send, func(u *identity.Update) *workload.X509BundlesResponse {
		response := &workload.X509BundlesResponse{Bundles: map[string][]byte{}}
		for _, bundle := range append([]*types.Bundle{u.Bundle}, u.Federated...) {
			response.Bundles["spiffe://"+bundle.TrustDomain] = authorities(bundle)
		}
		return response
	})
}

// authorities are the X.509 authorities of a bundle, DER one after the other.
func authorities(bundle *types.Bundle) []byte {
	var der [][]byte
	for _, authority := range bundle.X509Authorities {
		der = append(der, authority.Asn1)
	}
	return bytes.Join(der, nil)
}

// watch sends a response now and whenever it has changed, until the workload goes away or has no identity any more.
func watch[R proto.Message](ctx context.Context, w *workloads, send func(R) error, compose func(*identity.Update) R) error {
	w.streams.Add(1)
	defer w.streams.Add(-1)
	selectors, err := w.node.Workload(ctx)
	if err != nil {
		w.log.Error("Workload attestation failed", "error", err)
		return status.Error(codes.Unavailable, "workload attestation failed")
	}
	var sent R
	for {
		update, changed, err := w.identities.For(ctx, selectors)
		var again time.Time
		switch {
		case err != nil:
			w.log.Error("No SVID for a workload", "error", err)
			again = time.Now().Add(identity.RetryInterval)
		case len(update.SVIDs) == 0:
			w.log.Error("No identity issued", "registered", false, "selectors", len(selectors))
			return status.Error(codes.PermissionDenied, "no identity issued")
		default:
			again = update.RenewAt
			if response := compose(update); !proto.Equal(response, sent) {
				if err := send(response); err != nil {
					return err
				}
				sent = response
			}
		}
		timer := time.NewTimer(time.Until(again))
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}
