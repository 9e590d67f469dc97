package kubelet

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// limit on every wait of these tests.
const limit = 10 * time.Second

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// TestASidecarServesBeforeAndAfterThePodsContainers has a sidecar whose startup probe a listener of the test answers.
func TestASidecarServesBeforeAndAfterThePodsContainers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()

	p := prepared(t, v1.Container{Command: []string{"/bin/tool", "-c", "trap 'sleep 0.3; ls > last; exit' TERM; touch main; while :; do sleep 0.05; done"}})
	always := v1.ContainerRestartPolicyAlways
	p.inits = append(p.inits, newContainer(p, v1.Container{
		Name: "side", Image: "registry.example/tool:1", RestartPolicy: &always,
		Command: []string{"/bin/tool", "-c", "trap 'rm side; exit' TERM; touch side; while :; do sleep 0.05; done"},
		StartupProbe: &v1.Probe{FailureThreshold: 60, ProbeHandler: v1.ProbeHandler{
			TCPSocket: &v1.TCPSocketAction{Host: "127.0.0.1", Port: intstr.FromInt(port)},
		}},
	}, nil))
	in := func(name string) string { return filepath.Join(p.root, name) }

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.live(ctx)
	}()
	t.Cleanup(func() { stop(); <-ended })
	eventually(t, "the sidecar runs", func() bool { return exists(in("side")) })
	time.Sleep(2 * eagerPeriod) // what must not happen has time to
	if exists(in("main")) {
		t.Error("the container did not wait for the sidecar's startup probe")
	}
	if listener, err = net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	eventually(t, "the container runs", func() bool { return exists(in("main")) })

	stop()
	<-ended
	if seen, err := os.ReadFile(in("last")); err != nil || !strings.Contains(string(seen), "side") {
		t.Errorf("the sidecar did not outlast the container, which saw %q (%v)", seen, err)
	}
	if exists(in("side")) {
		t.Error("the sidecar was not asked to end")
	}
}
