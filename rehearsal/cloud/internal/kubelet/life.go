package kubelet

import (
	"context"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// live runs the pod's containers in their order, until the context ends or all have done what they were for.
func (p *pod) live(ctx context.Context) {
	if p.latest().DeletionTimestamp != nil || !p.prepare(ctx) {
		return
	}
	// Sidecars serve the others until those have ended.
	helping, enough := context.WithCancel(context.WithoutCancel(ctx))
	var running, helpers sync.WaitGroup
	defer func() {
		running.Wait()
		enough()
		helpers.Wait()
	}()
	policy := p.latest().Spec.RestartPolicy
	for _, c := range p.inits {
		if c.isSidecar() {
			helpers.Go(func() { c.run(helping, v1.RestartPolicyAlways) })
			if !c.hasStarted(ctx) {
				return
			}
			continue
		}
		if c.image == nil {
			c.set(v1.ContainerState{Terminated: &v1.ContainerStateTerminated{Reason: "Completed", StartedAt: metav1.Now(), FinishedAt: metav1.Now()}})
		} else {
			once := v1.RestartPolicyOnFailure
			if policy == v1.RestartPolicyNever {
				once = policy
			}
			c.run(ctx, once)
		}
		if ctx.Err() != nil || c.failed() {
			return
		}
		p.change(func() { c.status.Ready = true })
	}
	p.change(func() { p.initialized = true })
	go p.refresh(ctx)
	for _, c := range p.containers {
		running.Go(func() { c.run(ctx, policy) })
	}
}

// isSidecar tells an init container that runs as long as the pod does.
func (c *container) isSidecar() bool {
	return c.spec.RestartPolicy != nil && *c.spec.RestartPolicy == v1.ContainerRestartPolicyAlways
}

// hasStarted waits for the container's startup probe, which what comes after a sidecar waits for; false when the context ended.
func (c *container) hasStarted(ctx context.Context) bool {
	ticks := time.NewTicker(eagerPeriod)
	defer ticks.Stop()
	for {
		c.pod.mu.Lock()
		started := isTrue(c.status.Started)
		c.pod.mu.Unlock()
		if started {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticks.C:
		}
	}
}

func (c *container) failed() bool {
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	return c.status.State.Terminated == nil || c.status.State.Terminated.ExitCode != 0
}
