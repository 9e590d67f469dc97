package test

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestAWorkloadHasTheIdentityOfItsPodAndSeesEveryChangeOfIt(t *testing.T) {
	onEveryServer(t, func(t *testing.T, server string) {
		a, b := newAgent(t, server), started(t, "b.example.org")
		a.start()
		a.federateWith(b)
		entry := a.register(600, "pod-name:agent-1", "pod-label:app:agent", "pod-owner:ReplicaSet:agent", "container-name:agent", "container-image:node:1", "node-name:node-1", "pod-uid:uid-of-agent-1")
		w := a.startWorkload("source", a.pod(workloadPod, ""))
		first := w.next("its identity", func(e event) bool { return e.ID != "" })
		if first.ID != "spiffe://a.example.org/region/aws/agent" || first.SecondsLeft < 500 || first.SecondsLeft > 600 {
			t.Errorf("%+v", first)
		}
		if first.Authorities[b.domain] != 0 {
			t.Error("it has the bundle of a trust domain that its entry does not name")
		}
		a.update(entry, 600, b.domain)
		w.next("the federated bundle", func(e event) bool { return e.Authorities[b.domain] == 1 })
		b.must("", "localauthority", "x509", "prepare")
		a.must("", "federation", "refresh", "-id", b.id())
		w.next("the peer's second authority", func(e event) bool { return e.Authorities[b.domain] == 2 })

		a.must("", "localauthority", "x509", "prepare")
		before := w.next("the second authority", func(e event) bool { return e.Authorities[a.domain] == 2 })
		a.rotate()
		after := w.next("an SVID of the second authority", func(e event) bool { return e.Issuer != before.Issuer })
		if after.ID != first.ID {
			t.Errorf("%+v", after)
		}
		a.stop()
		a.start()
		a.update(entry, 600)
		w.next("that the peer is gone", func(e event) bool { return e.Authorities[b.domain] == 0 })
	})
}

func TestTheAgentIsNotReadyBeforeItHasReachedItsServer(t *testing.T) {
	a := newAgent(t, standIn)
	a.waitFor("/live")
	if code := a.probe("/ready"); code != http.StatusServiceUnavailable {
		t.Errorf("/ready answers %d", code)
	}
	a.start()
	a.waitFor("/ready")
}

func TestAServerOfAnotherTrustDomainIsNotTaken(t *testing.T) {
	a := newAgent(t, standIn)
	a.edit(`"a.example.org"`, `"other.example.org"`)
	a.start()
	a.waitFor("/live")
	a.waitLog(`the server is that of trust domain \"other.example.org\"`)
	if code := a.probe("/ready"); code != http.StatusServiceUnavailable {
		t.Errorf("/ready answers %d", code)
	}
}

func TestAnSVIDIsRenewedAtHalfOfItsLife(t *testing.T) {
	a := newAgent(t, standIn)
	a.start()
	a.register(2)
	w := a.startWorkload("source", a.pod(workloadPod, ""))
	serials := map[string]bool{}
	for range 3 {
		e := w.next("another SVID", func(e event) bool { return e.ID != "" && !serials[e.Serial] })
		if e.SecondsLeft < 0 {
			t.Errorf("it has expired: %+v", e)
		}
		serials[e.Serial] = true
	}
}

func TestADeletedEntryTakesTheIdentityAway(t *testing.T) {
	onEveryServer(t, func(t *testing.T, server string) {
		a := newAgent(t, server)
		a.start()
		entry := a.register(600)
		w := a.startWorkload("watch", a.pod(workloadPod, ""))
		w.next("its identity", func(e event) bool { return e.ID != "" })
		a.must("", "entry", "delete", "-entryID", entry)
		w.next("that it has none any more", func(e event) bool { return strings.Contains(e.Error, "no identity issued") })
	})
}

func TestAProcessInNoPodOfThisNodeHasNoIdentity(t *testing.T) {
	a := newAgent(t, standIn)
	a.start()
	a.register(600)
	a.waitFor("/ready")
	a.addPod("agentweave_elsewhere-1", "node-2")
	a.addPod("other_agent-1", "node-1")
	a.link(a.pod(agentPod, "run/spire/agent-sockets"), "agentweave_unknown-1", "spiffe-workload-api")
	for what, directory := range map[string]string{
		"a pod of another node": a.pod("agentweave_elsewhere-1", ""), "a pod without an entry": a.pod("other_agent-1", ""),
		"no pod of the cluster": a.pod("agentweave_unknown-1", ""), "no pod at all": t.TempDir(),
	} {
		t.Run(what, func(t *testing.T) {
			w := a.startWorkload("watch", directory)
			if e := w.next("a refusal", func(event) bool { return true }); !strings.Contains(e.Error, "PermissionDenied") {
				t.Errorf("%+v", e)
			}
		})
	}
	t.Run("but what a pod's process starts elsewhere belongs to the pod", func(t *testing.T) {
		w := a.startWorkload("nested", a.pod(workloadPod, ""))
		w.next("its identity", func(e event) bool { return e.ID != "" })
	})
}

func TestAWorkloadThatCannotBeAttestedIsToldToComeAgain(t *testing.T) {
	a := newAgent(t, standIn)
	a.start()
	a.register(600)
	a.waitFor("/ready")
	a.api.refuse(1)
	w := a.startWorkload("watch", a.pod(workloadPod, ""))
	w.next("a refusal", func(e event) bool { return strings.Contains(e.Error, "Unavailable") })
	w.next("its identity", func(e event) bool { return e.ID != "" })
}

func TestSIGTERMEndsTheAgentAndItsSuccessorServesTheSameWorkloads(t *testing.T) {
	a := newAgent(t, standIn)
	a.start()
	a.register(600)
	w := a.startWorkload("source", a.pod(workloadPod, ""))
	first := w.next("its identity", func(e event) bool { return e.ID != "" })
	if err := a.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _ = a.process.Wait(); a.process.ProcessState.ExitCode() != 0 {
		t.Errorf("exit %d", a.process.ProcessState.ExitCode())
	}
	if _, err := os.Stat(a.socket()); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	a.run()
	w.next("an SVID of the new agent", func(e event) bool { return e.Serial != first.Serial })
}

func TestTheWorkloadAPIWantsItsSecurityHeaderAndServesX509Alone(t *testing.T) {
	a := newAgent(t, standIn)
	a.start()
	a.waitFor("/ready")
	conn := must(grpc.NewClient("unix:"+a.socket(), grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer conn.Close()
	client := workload.NewSpiffeWorkloadAPIClient(conn)
	_, err := must(client.FetchX509SVID(t.Context(), &workload.X509SVIDRequest{})).Recv()
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "security header missing") {
		t.Error(err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "workload.spiffe.io", "true")
	if _, err := must(client.FetchX509Bundles(ctx, &workload.X509BundlesRequest{})).Recv(); status.Code(err) != codes.PermissionDenied {
		t.Error(err)
	}
	if _, err := client.FetchJWTSVID(ctx, &workload.JWTSVIDRequest{}); status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
}
