package attest

import (
	"context"
	"fmt"
	"net/url"

	"agentweave-mesh/rehearsal/spire/kube"
)

// pod is the part of a Kubernetes Pod of which selectors are made.
type pod struct {
	Metadata struct {
		Name, Namespace, UID string
		Labels               map[string]string
		OwnerReferences      []struct{ Kind, Name, UID string }
	}
	Spec struct {
		ServiceAccountName, NodeName string
		Containers                   []struct{ Name, Image string }
	}
	Status struct {
		HostIP            string
		ContainerStatuses []struct{ Image, ImageID string }
	}
}

func getPod(ctx context.Context, client *kube.Client, namespace, name string) (*pod, error) {
	p := &pod{}
	err := client.Get(ctx, fmt.Sprintf("/api/v1/namespaces/%s/pods/%s", url.PathEscape(namespace), url.PathEscape(name)), p)
	return p, err
}

// workloadSelectors are those of SPIRE's workload attestor k8s (pkg/agent/plugin/workloadattestor/k8s). The containers
// of a local pod share a directory and cannot be told apart, so that the workload is each of them.
func (p *pod) workloadSelectors() Selectors {
	s := Selectors{}
	add := func(format string, args ...any) { s["k8s:"+fmt.Sprintf(format, args...)] = true }
	add("ns:%s", p.Metadata.Namespace)
	add("sa:%s", p.Spec.ServiceAccountName)
	add("pod-name:%s", p.Metadata.Name)
	add("pod-uid:%s", p.Metadata.UID)
	add("node-name:%s", p.Spec.NodeName)
	add("pod-image-count:%d", len(p.Status.ContainerStatuses))
	for key, value := range p.Metadata.Labels {
		add("pod-label:%s:%s", key, value)
	}
	for _, owner := range p.Metadata.OwnerReferences {
		add("pod-owner:%s:%s", owner.Kind, owner.Name)
		add("pod-owner-uid:%s:%s", owner.Kind, owner.UID)
	}
	for _, container := range p.Spec.Containers {
		add("container-name:%s", container.Name)
		add("container-image:%s", container.Image)
		add("pod-image:%s", container.Image)
	}
	for _, status := range p.Status.ContainerStatuses {
		for _, image := range []string{status.Image, status.ImageID} {
			add("container-image:%s", image)
			add("pod-image:%s", image)
		}
	}
	return s
}

// nodeSelectors are those that SPIRE's node attestor k8s_psat learns from the agent's own pod
// (pkg/server/plugin/nodeattestor/k8spsat).
func (p *pod) nodeSelectors(cluster string) Selectors {
	s := Selectors{}
	for key, value := range map[string]string{
		"cluster": cluster, "agent_ns": p.Metadata.Namespace, "agent_sa": p.Spec.ServiceAccountName, "agent_pod_name": p.Metadata.Name,
		"agent_pod_uid": p.Metadata.UID, "agent_node_ip": p.Status.HostIP, "agent_node_name": p.Spec.NodeName,
	} {
		s["k8s_psat:"+key+":"+value] = true
	}
	for key, value := range p.Metadata.Labels {
		s["k8s_psat:agent_pod_label:"+key+":"+value] = true
	}
	return s
}
