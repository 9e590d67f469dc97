package kubelet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"agentweave-mesh/rehearsal/cloud/internal/network"
)

// pod is a pod whose containers run as local processes.
type pod struct {
	kubelet   *Kubelet
	namespace string
	name      string
	uid       types.UID
	// address that the pod's processes listen on, of the cloud's own range; octet is its last part.
	address string
	octet   int
	// root is the processes' working directory and plays the containers' root; own has the volumes that end with the pod.
	root, own   string
	translation translation
	// volumes and tokens are used by the pod's own goroutine and, after that has made them, by the refreshing one.
	volumes map[string]string
	tokens  map[string]issuedToken
	// isolated tells that the pod has a network and its containers a root of their own; network is nil until it is made.
	isolated bool
	network  *network.Pod

	mu                   sync.Mutex
	newest               *v1.Pod
	inits, containers    []*container
	initialized, removed bool
	conditions           map[v1.PodConditionType]v1.PodCondition

	// written is the status that the API server has of this side; only the status writer uses it.
	written v1.PodStatus

	// changed wakes the status writer, outdated the refreshing of volumes. Both hold one signal.
	changed, outdated chan struct{}
	// stop ends the pod, ending is closed from then on, done when nothing of it is left.
	stop   context.CancelFunc
	ending <-chan struct{}
	done   chan struct{}
}

func newPod(k *Kubelet, object *v1.Pod, octet int) *pod {
	p := &pod{
		kubelet: k, namespace: object.Namespace, name: object.Name, uid: object.UID,
		address: k.config.Local(octet), octet: octet,
		own:     filepath.Join(k.config.Dir, "pod-volumes", string(object.UID)),
		volumes: map[string]string{}, tokens: map[string]issuedToken{},
		newest: object, written: ownStatus(object.Status), conditions: map[v1.PodConditionType]v1.PodCondition{},
		changed: make(chan struct{}, 1), outdated: make(chan struct{}, 1), done: make(chan struct{}),
	}
	p.root = filepath.Join(k.pods(), p.key())
	place := translation{root: p.root, address: p.address, apiServer: k.config.APIServerAddress(), service: k.service}
	if runtime.GOOS == "linux" {
		place.root = "/proc/self/cwd"
	}
	if p.translation = newTranslation(object, place); k.network != nil {
		p.isolated = true
		p.translation = p.translation.forSandbox(object.Spec.HostNetwork)
	}
	for _, spec := range object.Spec.InitContainers {
		p.inits = append(p.inits, newContainer(p, spec, object.Status.InitContainerStatuses))
	}
	for _, spec := range object.Spec.Containers {
		p.containers = append(p.containers, newContainer(p, spec, object.Status.ContainerStatuses))
	}
	return p
}

// key names the pod in paths: <namespace>_<name>; neither part can contain an underscore.
func (p *pod) key() string { return p.namespace + "_" + p.name }

func (p *pod) latest() *v1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.newest
}

// update takes a newer object of the pod; the start time is this side's to know.
func (p *pod) update(object *v1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	started := p.newest.Status.StartTime
	p.newest = object.DeepCopy()
	if p.newest.Status.StartTime == nil {
		p.newest.Status.StartTime = started
	}
}

// change changes the pod's state under its lock and has the status written.
func (p *pod) change(how func()) {
	p.mu.Lock()
	how()
	p.mu.Unlock()
	signal(p.changed)
}

func signal(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// grace is the time that the pod's processes have to end.
func (p *pod) grace() time.Duration {
	object := p.latest()
	seconds := object.DeletionGracePeriodSeconds
	if seconds == nil {
		seconds = object.Spec.TerminationGracePeriodSeconds
	}
	if seconds == nil || p.kubelet.stopping() {
		return stopGrace
	}
	return time.Duration(max(1, *seconds)) * time.Second
}

// run is the pod's whole life. It ends with the context (deletion, or the supervisor's own end).
func (p *pod) run(ctx context.Context, former *pod) {
	defer close(p.done)
	if former != nil {
		// A pod of the same name is still ending; both have the same directory.
		<-former.done
	}
	writing, stopWriting := context.WithCancel(context.Background())
	written := make(chan struct{})
	go func() {
		defer close(written)
		p.writeStatus(writing)
	}()
	p.live(ctx)
	<-ctx.Done()
	stopWriting()
	<-written
	if p.network != nil {
		_ = p.network.Remove()
	}
	if p.kubelet.stopping() {
		return
	}
	_ = os.RemoveAll(p.root)
	_ = os.RemoveAll(p.own)
	p.delete()
}

// prepare makes the pod's directory and volumes, waiting for what they refer to. It is false when the context ended.
func (p *pod) prepare(ctx context.Context) bool {
	for {
		err := os.RemoveAll(p.root)
		if err == nil {
			err = os.MkdirAll(p.root, 0o700)
		}
		if err == nil {
			err = p.materialize(ctx)
		}
		if err == nil {
			err = p.mount()
		}
		if err == nil {
			err = p.isolate()
		}
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		for _, c := range append(append([]*container{}, p.inits...), p.containers...) {
			c.wait("ContainerCreating", err.Error())
		}
		p.event(v1.EventTypeWarning, "FailedMount", err.Error())
		select {
		case <-ctx.Done():
			return false
		case <-p.outdated:
		case <-time.After(time.Second):
		}
	}
}

// refresh keeps the volumes' files what the API server's objects say.
func (p *pod) refresh(ctx context.Context) {
	ticks := time.NewTicker(time.Minute) // for tokens, which expire
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.outdated:
		case <-ticks.C:
		}
		if err := p.materialize(ctx); err != nil && ctx.Err() == nil {
			p.event(v1.EventTypeWarning, "FailedMount", err.Error())
		}
	}
}

// delete takes the pod's object away once its processes have ended.
func (p *pod) delete() {
	p.mu.Lock()
	removed := p.removed
	p.mu.Unlock()
	for attempt := time.Duration(1); !removed && attempt <= 10; attempt++ {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		now := int64(0)
		err := p.kubelet.client.CoreV1().Pods(p.namespace).Delete(ctx, p.name, metav1.DeleteOptions{
			GracePeriodSeconds: &now, Preconditions: metav1.NewUIDPreconditions(string(p.uid)),
		})
		cancel()
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return
		}
		time.Sleep(attempt * time.Second / 2)
	}
}

func (p *pod) event(kind, reason, message string) {
	p.kubelet.recorder.Event(p.latest(), kind, reason, message)
}

func (p *pod) container(name string) (*container, error) {
	for _, c := range append(append([]*container{}, p.containers...), p.inits...) {
		if c.spec.Name == name || name == "" {
			return c, nil
		}
	}
	return nil, fmt.Errorf("container %s is not in pod %s/%s", name, p.namespace, p.name)
}
