package kubelet

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/klog/v2"
)

// writeStatus writes the pod's status after each change until the context ends, and once more then.
func (p *pod) writeStatus(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-p.changed:
			// Changes come in groups.
			time.Sleep(20 * time.Millisecond)
		}
		if err := p.patchStatus(); err != nil && ctx.Err() == nil {
			klog.Warningf("status of pod %s/%s: %v", p.namespace, p.name, err)
			signal(p.changed)
			time.Sleep(time.Second)
		}
	}
}

func (p *pod) patchStatus() error {
	p.mu.Lock()
	removed, status := p.removed, p.status()
	p.mu.Unlock()
	if removed || equality.Semantic.DeepEqual(p.written, status) {
		return nil // probes report what is known already, again and again
	}
	// Against what was written last, so that fields which are gone are removed.
	patch, err := twoWayPatch(p.uid, p.written, status)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = p.kubelet.client.CoreV1().Pods(p.namespace).Patch(ctx, p.name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err == nil {
		p.written = status
	}
	return err
}

func twoWayPatch(uid types.UID, before, after v1.PodStatus) ([]byte, error) {
	old, err := json.Marshal(v1.Pod{Status: before})
	if err != nil {
		return nil, err
	}
	// The uid is in the patch, so that it cannot reach another pod of the same name.
	newer, err := json.Marshal(v1.Pod{ObjectMeta: metav1.ObjectMeta{UID: uid}, Status: after})
	if err != nil {
		return nil, err
	}
	return strategicpatch.CreateTwoWayMergePatch(old, newer, v1.Pod{})
}

// ownStatus is that part of an existing status which status() writes too.
func ownStatus(status v1.PodStatus) v1.PodStatus {
	own := v1.PodStatus{
		PodIPs: status.PodIPs, HostIPs: status.HostIPs,
		ContainerStatuses: status.ContainerStatuses, InitContainerStatuses: status.InitContainerStatuses,
	}
	for _, condition := range status.Conditions {
		if slices.Contains(ownConditions, condition.Type) {
			own.Conditions = append(own.Conditions, condition)
		}
	}
	return own
}

var ownConditions = []v1.PodConditionType{v1.PodInitialized, v1.ContainersReady, v1.PodReady}

// status computes the pod's status from its containers'. The pod's lock is held.
func (p *pod) status() v1.PodStatus {
	ip := p.kubelet.config.PodIP(p.octet)
	status := v1.PodStatus{
		Phase: v1.PodPending, HostIP: p.kubelet.config.Address, HostIPs: []v1.HostIP{{IP: p.kubelet.config.Address}},
		PodIP: ip, PodIPs: []v1.PodIP{{IP: ip}}, StartTime: p.newest.Status.StartTime,
	}
	if status.StartTime == nil {
		now := metav1.Now()
		status.StartTime = &now
		p.newest = p.newest.DeepCopy()
		p.newest.Status.StartTime = &now
	}
	ready, running, failed := true, 0, 0
	for _, c := range p.inits {
		status.InitContainerStatuses = append(status.InitContainerStatuses, *c.status.DeepCopy())
		if ended := c.status.State.Terminated; ended != nil && ended.ExitCode != 0 && p.newest.Spec.RestartPolicy == v1.RestartPolicyNever {
			failed++
		}
		ready = ready && (c.status.Ready || !c.isSidecar())
	}
	for _, c := range p.containers {
		status.ContainerStatuses = append(status.ContainerStatuses, *c.status.DeepCopy())
		ready = ready && c.status.Ready
		switch ended := c.status.State.Terminated; {
		case ended == nil || !c.final():
			running++
		case ended.ExitCode != 0:
			failed++
		}
	}
	switch {
	case !p.initialized && failed > 0, p.initialized && running == 0 && failed > 0:
		status.Phase = v1.PodFailed
	case p.initialized && running == 0:
		status.Phase = v1.PodSucceeded
	case p.initialized && p.everStarted():
		status.Phase = v1.PodRunning
	}
	status.Conditions = []v1.PodCondition{
		p.condition(v1.PodInitialized, p.initialized, "ContainersNotInitialized"),
		p.condition(v1.ContainersReady, ready && p.initialized, "ContainersNotReady"),
		p.condition(v1.PodReady, ready && p.initialized, "ContainersNotReady"),
	}
	return status
}

// final tells whether an ended container stays ended.
func (c *container) final() bool {
	policy := c.pod.newest.Spec.RestartPolicy
	return policy == v1.RestartPolicyNever || (policy == v1.RestartPolicyOnFailure && c.status.State.Terminated.ExitCode == 0)
}

func (p *pod) everStarted() bool {
	for _, c := range p.containers {
		if c.status.ContainerID == "" {
			return false
		}
	}
	return true
}

func (p *pod) condition(kind v1.PodConditionType, holds bool, otherwise string) v1.PodCondition {
	condition := v1.PodCondition{Type: kind, Status: v1.ConditionTrue, LastTransitionTime: metav1.Now()}
	if !holds {
		condition.Status, condition.Reason = v1.ConditionFalse, otherwise
	}
	if before, found := p.conditions[kind]; found && before.Status == condition.Status {
		condition.LastTransitionTime = before.LastTransitionTime
	}
	p.conditions[kind] = condition
	return condition
}
