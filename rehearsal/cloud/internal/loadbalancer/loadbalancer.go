// Package loadbalancer gives every Service of type LoadBalancer an address of the cloud and forwards its TCP traffic
// to pods that really run.
package loadbalancer

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listersv1 "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"

	"agentweave-mesh/rehearsal/cloud/internal/config"
)

// Controller reconciles all load balancers whenever a Service or an EndpointSlice changes.
type Controller struct {
	config   *config.Config
	client   kubernetes.Interface
	services listersv1.ServiceLister
	slices   discoverylisters.EndpointSliceLister
	wake     chan struct{}
	// addresses by Service (namespace/name), forwards by listening address.
	addresses map[string]string
	forwards  map[string]*forward
}

// New makes a controller on the informers' Services and EndpointSlices.
func New(c *config.Config, client kubernetes.Interface, factory informers.SharedInformerFactory) (*Controller, error) {
	l := &Controller{
		config: c, client: client, wake: make(chan struct{}, 1),
		services: factory.Core().V1().Services().Lister(), slices: factory.Discovery().V1().EndpointSlices().Lister(),
		addresses: map[string]string{}, forwards: map[string]*forward{},
	}
	changed := func() {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { changed() }, UpdateFunc: func(any, any) { changed() }, DeleteFunc: func(any) { changed() },
	}
	for _, informer := range []cache.SharedIndexInformer{factory.Core().V1().Services().Informer(), factory.Discovery().V1().EndpointSlices().Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Run reconciles until the context ends, then closes every listener. The informers must have synced.
func (l *Controller) Run(ctx context.Context, failed func(service string, err error)) {
	retry := time.NewTicker(5 * time.Second)
	defer retry.Stop()
	for ctx.Err() == nil {
		l.reconcile(ctx, failed)
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-retry.C:
		}
	}
	for _, f := range l.forwards {
		f.close()
	}
}

func (l *Controller) reconcile(ctx context.Context, failed func(string, error)) {
	all, err := l.services.List(labels.Everything())
	if err != nil {
		return
	}
	balanced := map[string]*v1.Service{}
	for _, service := range all {
		if service.Spec.Type == v1.ServiceTypeLoadBalancer && service.DeletionTimestamp == nil {
			balanced[service.Namespace+"/"+service.Name] = service
		}
	}
	l.assign(balanced)
	wanted := map[string][]string{}
	for key, service := range balanced {
		address, assigned := l.addresses[key]
		if !assigned {
			failed(key, fmt.Errorf("all addresses for load balancers are taken"))
			continue
		}
		if current(service) != address {
			if err := l.publish(ctx, service, address); err != nil && ctx.Err() == nil {
				failed(key, err)
			}
		}
		for _, port := range service.Spec.Ports {
			if backends := l.backends(service, port.Name); port.Protocol == v1.ProtocolTCP && len(backends) > 0 {
				wanted[net.JoinHostPort(address, strconv.Itoa(int(port.Port)))] = backends
			}
		}
	}
	// A port without a ready pod is closed, so that callers are refused as they are by a real load balancer.
	for listen, f := range l.forwards {
		if _, found := wanted[listen]; !found {
			f.close()
			delete(l.forwards, listen)
		}
	}
	for listen, backends := range wanted {
		if l.forwards[listen] == nil {
			f, err := newForward(listen)
			if err != nil {
				failed(listen, err)
				continue
			}
			l.forwards[listen] = f
		}
		l.forwards[listen].set(backends)
	}
}

func current(service *v1.Service) string {
	if ingress := service.Status.LoadBalancer.Ingress; len(ingress) == 1 {
		return ingress[0].IP
	}
	return ""
}

// assign keeps each Service's address, also across the supervisor's restarts, and gives new ones the lowest free.
func (l *Controller) assign(balanced map[string]*v1.Service) {
	taken := map[string]bool{}
	for key := range l.addresses {
		if balanced[key] == nil {
			delete(l.addresses, key)
		}
	}
	for key, service := range balanced {
		if address := current(service); l.addresses[key] == "" && l.own(address) {
			l.addresses[key] = address
		}
		taken[l.addresses[key]] = true
	}
	for key := range balanced {
		for octet := config.FirstLoadBalancer; l.addresses[key] == "" && octet <= config.LastLoadBalancer; octet++ {
			if address := l.config.Local(octet); !taken[address] {
				l.addresses[key], taken[address] = address, true
			}
		}
	}
}

func (l *Controller) own(address string) bool {
	for octet := config.FirstLoadBalancer; octet <= config.LastLoadBalancer; octet++ {
		if l.config.Local(octet) == address {
			return true
		}
	}
	return false
}

func (l *Controller) publish(ctx context.Context, service *v1.Service, address string) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": service.UID},
		"status":   v1.ServiceStatus{LoadBalancer: v1.LoadBalancerStatus{Ingress: []v1.LoadBalancerIngress{{IP: address}}}},
	})
	if err != nil {
		return err
	}
	_, err = l.client.CoreV1().Services(service.Namespace).Patch(ctx, service.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// backends are the addresses of the ready pods behind a port of a Service, as far as they really run.
func (l *Controller) backends(service *v1.Service, portName string) []string {
	slices, err := l.slices.EndpointSlices(service.Namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service.Name}))
	if err != nil {
		return nil
	}
	var backends []string
	for _, slice := range slices {
		for _, port := range slice.Ports {
			if port.Name == nil || *port.Name != portName || port.Port == nil {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				if ready := endpoint.Conditions.Ready; ready != nil && !*ready {
					continue
				}
				for _, podIP := range endpoint.Addresses {
					if local, runs := l.config.LocalOfPodIP(podIP); runs {
						backends = append(backends, net.JoinHostPort(local, strconv.Itoa(int(*port.Port))))
					}
				}
			}
		}
	}
	return backends
}
