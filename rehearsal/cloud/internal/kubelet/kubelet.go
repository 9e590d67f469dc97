// Package kubelet runs the pods of known images as local processes, as a kubelet does for its node's: volumes, probes,
// restarts, status, exec, logs and port forwarding. It serves all of the cloud's nodes.
package kubelet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedv1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"agentweave-mesh/rehearsal/cloud/internal/config"
	"agentweave-mesh/rehearsal/cloud/internal/network"
)

// stopGrace is what processes have to end in when the whole cloud stops.
const stopGrace = 5 * time.Second

// Kubelet runs pods.
type Kubelet struct {
	config   *config.Config
	client   kubernetes.Interface
	recorder record.EventRecorder
	// service is the address of a Service for pods.
	service func(namespace, name string) string
	// network is where pods have networks of their own; nil when all share this machine's.
	network *network.Cloud

	mu      sync.Mutex
	running map[types.UID]*pod
	// last counts the addresses that were given to pods.
	last int
	// ended is set when the whole cloud stops.
	ended bool
}

// New makes a kubelet whose pods are those that the informers see. `service` tells under which address they reach a
// Service; `own` is the network in which each pod gets its own, nil for none.
func New(c *config.Config, client kubernetes.Interface, factory informers.SharedInformerFactory, service func(namespace, name string) string, own *network.Cloud) (*Kubelet, error) {
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedv1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	k := &Kubelet{
		config: c, client: client, service: service, network: own, running: map[types.UID]*pod{},
		recorder: broadcaster.NewRecorder(scheme.Scheme, v1.EventSource{Component: "kubelet", Host: c.Name}),
	}
	for _, directory := range []string{k.pods(), k.logs()} {
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return nil, err
		}
	}
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.saw(object.(*v1.Pod)) },
		UpdateFunc: func(_, object any) { k.saw(object.(*v1.Pod)) },
		DeleteFunc: func(object any) { k.lost(object) },
	})
	if err != nil {
		return nil, err
	}
	outdate := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.outdate(object) },
		UpdateFunc: func(_, object any) { k.outdate(object) },
	}
	for _, informer := range []cache.SharedIndexInformer{factory.Core().V1().ConfigMaps().Informer(), factory.Core().V1().Secrets().Informer()} {
		if _, err := informer.AddEventHandler(outdate); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func (k *Kubelet) pods() string { return filepath.Join(k.config.Dir, "pods") }
func (k *Kubelet) logs() string { return filepath.Join(k.config.Dir, "logs", "pods") }

// saw is told of a pod that is there. A pod really runs when the image of one of its containers is known.
func (k *Kubelet) saw(object *v1.Pod) {
	known := false
	for _, container := range object.Spec.Containers {
		known = known || k.config.ImageOf(container.Image) != nil
	}
	if !known || object.Spec.NodeName == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.running[object.UID]
	if p == nil {
		finished := object.Status.Phase == v1.PodSucceeded || object.Status.Phase == v1.PodFailed
		if k.ended || (finished && object.DeletionTimestamp == nil) {
			return
		}
		p = k.run(object)
	}
	p.update(object)
	if object.DeletionTimestamp != nil {
		p.stop()
	}
}

// run starts a pod's life. The kubelet's lock is held.
func (k *Kubelet) run(object *v1.Pod) *pod {
	p := newPod(k, object, k.freeOctet())
	var former *pod
	for _, other := range k.running {
		if other.key() == p.key() {
			former = other
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop, p.ending = stop, ctx.Done()
	k.running[object.UID] = p
	go func() {
		p.run(ctx, former)
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.running, object.UID)
	}()
	return p
}

// lost is told of a pod that is no longer there, which may still run after a deletion by force.
func (k *Kubelet) lost(object any) {
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.running[object.(*v1.Pod).UID]; p != nil {
		p.mu.Lock()
		p.removed = true
		p.mu.Unlock()
		p.stop()
	}
}

// outdate is told of a ConfigMap or Secret that is new or has changed. Pods refer to those of their own namespace only,
// and keep the files of one that is deleted.
func (k *Kubelet) outdate(object any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.running {
		if p.namespace == object.(metav1.Object).GetNamespace() {
			signal(p.outdated)
		}
	}
}

// freeOctet goes round, so that an address is not at once another pod's for those who still know the former one by it.
func (k *Kubelet) freeOctet() int {
	taken := map[int]bool{}
	for _, p := range k.running {
		taken[p.octet] = true
	}
	const octets = config.FirstService - config.FirstPod
	for range octets {
		k.last++
		if !taken[config.FirstPod+k.last%octets] {
			break // when all are taken, one is shared
		}
	}
	return config.FirstPod + k.last%octets
}

func (k *Kubelet) stopping() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ended
}

func (k *Kubelet) find(namespace, name string) (*pod, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.running {
		if p.namespace == namespace && p.name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("pod %s/%s does not run here: it is gone, or simulated", namespace, name)
}

// Stop ends the processes of all pods. The pods stay in the API server and run again with the next start.
func (k *Kubelet) Stop() {
	k.mu.Lock()
	k.ended = true
	var all []*pod
	for _, p := range k.running {
		all = append(all, p)
		p.stop()
	}
	k.mu.Unlock()
	for _, p := range all {
		<-p.done
	}
}
