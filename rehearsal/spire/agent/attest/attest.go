// Package attest finds out what the agent's node and the workloads on it are. What it attests in the rehearsal are
// local processes that play pods: the process at the other end of the socket belongs to the pod in whose directory it
// works, and the Kubernetes API tells of that pod what a kubelet would.
package attest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"agentweave-mesh/rehearsal/spire/kube"

	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

// Selectors are a set of texts, each a selector's type and value as `k8s:ns:agentweave`.
type Selectors map[string]bool

// Include tells whether each of these selectors is in the set.
func (s Selectors) Include(selectors []*types.Selector) bool {
	for _, selector := range selectors {
		if !s[selector.Type+":"+selector.Value] {
			return false
		}
	}
	return len(selectors) > 0
}

// Node is the node on which the agent's own pod is.
type Node struct {
	// Name of the node in Kubernetes.
	Name string
	// Selectors of the node as k8s_psat has them.
	Selectors Selectors

	client *kube.Client
	// pods is the directory with one directory for each local pod of the cloud, named <namespace>_<name>.
	pods string
}

// FindNode asks the API server where the agent's own pod is. The pod's directory is the working directory.
func FindNode(ctx context.Context, client *kube.Client, cluster string) (*Node, error) {
	namespace, err := os.ReadFile(filepath.Join(kube.AccountDir, "namespace"))
	if err != nil {
		return nil, err
	}
	directory, err := os.Getwd()
	if err == nil {
		// As the kernel has it, without symbolic links: it is compared with what /proc tells of others.
		directory, err = filepath.EvalSymlinks(directory)
	}
	if err != nil {
		return nil, err
	}
	own, err := getPod(ctx, client, strings.TrimSpace(string(namespace)), os.Getenv("HOSTNAME"))
	if err != nil {
		return nil, fmt.Errorf("the agent's own pod: %w", err)
	}
	return &Node{Name: own.Spec.NodeName, Selectors: own.nodeSelectors(cluster), client: client, pods: filepath.Dir(directory)}, nil
}

// Workload returns the selectors of the process that makes a call: none where it is in no pod of this node.
func (n *Node) Workload(ctx context.Context) (Selectors, error) {
	pid, err := callerPID(ctx)
	if err != nil {
		return nil, err
	}
	directory, err := podDirectory(n.pods, pid)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	namespace, name, isPod := strings.Cut(directory, "_")
	if !isPod {
		return nil, nil
	}
	p, err := getPod(ctx, n.client, namespace, name)
	if refusal := (*kube.StatusError)(nil); errors.As(err, &refusal) && refusal.Code == http.StatusNotFound {
		return nil, nil
	}
	if err != nil || p.Spec.NodeName != n.Name {
		return nil, err
	}
	return p.workloadSelectors(), nil
}
