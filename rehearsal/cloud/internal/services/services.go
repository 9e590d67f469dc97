// Package services plays Service addresses: it gives each Service that is named in a pod's configuration, or is of type
// LoadBalancer, an address of the cloud, and forwards its TCP traffic to pods that really run.
package services

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

// Controller reconciles all addresses whenever a Service, an EndpointSlice or the set of named Services changes.
type Controller struct {
	client    kubernetes.Interface
	services  listersv1.ServiceLister
	slices    discoverylisters.EndpointSliceLister
	localOf   func(podIP string) (string, bool)
	addresses *addresses
	// ranged tells that the addresses of the cluster's Service range are to work too.
	ranged bool
	// apiServer is where the API server listens.
	apiServer string
	wake      chan struct{}
	// forwards by listening address.
	forwards map[string]*forward
}

// New makes a controller on the informers' Services and EndpointSlices. Addresses that were published in an earlier life
// of the supervisor are kept for their Services.
func New(ctx context.Context, c *config.Config, client kubernetes.Interface, factory informers.SharedInformerFactory) (*Controller, error) {
	s := &Controller{
		client: client, localOf: c.LocalOfPodIP, addresses: newAddresses(c),
		ranged: c.World != nil, apiServer: c.APIServerAddress(),
		services: factory.Core().V1().Services().Lister(), slices: factory.Discovery().V1().EndpointSlices().Lister(),
		wake: make(chan struct{}, 1), forwards: map[string]*forward{},
	}
	// Before anybody asks for an address, so that none is given away.
	existing, err := client.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range existing.Items {
		s.addresses.keep(key(&existing.Items[i]), published(&existing.Items[i]))
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { s.changed() }, UpdateFunc: func(any, any) { s.changed() }, DeleteFunc: func(any) { s.changed() },
	}
	for _, informer := range []cache.SharedIndexInformer{factory.Core().V1().Services().Informer(), factory.Discovery().V1().EndpointSlices().Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Address is where pods of this cloud reach a Service, whether it exists yet or not; empty when all are taken.
func (s *Controller) Address(namespace, name string) string {
	defer s.changed()
	return s.addresses.of(namespace + "/" + name)
}

func (s *Controller) changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run reconciles until the context ends, then closes every listener. The informers must have synced.
func (s *Controller) Run(ctx context.Context, failed func(service string, err error)) {
	retry := time.NewTicker(5 * time.Second)
	defer retry.Stop()
	for ctx.Err() == nil {
		s.reconcile(ctx, failed)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-retry.C:
		}
	}
	s.listen(nil, failed)
}

func (s *Controller) reconcile(ctx context.Context, failed func(string, error)) {
	all, err := s.services.List(labels.Everything())
	if err != nil {
		return
	}
	wanted := map[string][]string{}
	for _, service := range all {
		if service.DeletionTimestamp != nil {
			continue
		}
		address := s.addresses.given(key(service))
		if service.Spec.Type == v1.ServiceTypeLoadBalancer {
			if address = s.addresses.of(key(service)); address == "" {
				failed(key(service), fmt.Errorf("all addresses for Services are taken"))
			} else if published(service) != address {
				if err := s.publish(ctx, service, address); err != nil && ctx.Err() == nil {
					failed(key(service), err)
				}
			}
		}
		for _, port := range service.Spec.Ports {
			backends := s.backends(service, port.Name)
			for _, at := range s.listenOn(service, address) {
				if port.Protocol == v1.ProtocolTCP && len(backends) > 0 {
					wanted[net.JoinHostPort(at, strconv.Itoa(int(port.Port)))] = backends
				}
			}
		}
	}
	s.listen(wanted, failed)
}

// listen makes the forwards what is wanted: backends by listening address.
func (s *Controller) listen(wanted map[string][]string, failed func(string, error)) {
	// A port without a ready pod is closed, so that callers are refused as they are in a cluster.
	for address, f := range s.forwards {
		if _, found := wanted[address]; !found {
			f.listener.Close()
			delete(s.forwards, address)
		}
	}
	for address, backends := range wanted {
		if s.forwards[address] == nil {
			f, err := newForward(address)
			if err != nil {
				failed(address, err)
				continue
			}
			s.forwards[address] = f
		}
		s.forwards[address].set(backends)
	}
}

func key(service *v1.Service) string { return service.Namespace + "/" + service.Name }

func published(service *v1.Service) string {
	if ingress := service.Status.LoadBalancer.Ingress; len(ingress) == 1 {
		return ingress[0].IP
	}
	return ""
}

func (s *Controller) publish(ctx context.Context, service *v1.Service, address string) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": service.UID},
		"status":   v1.ServiceStatus{LoadBalancer: v1.LoadBalancerStatus{Ingress: []v1.LoadBalancerIngress{{IP: address}}}},
	})
	if err != nil {
		return err
	}
	_, err = s.client.CoreV1().Services(service.Namespace).Patch(ctx, service.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// backends are the addresses of the ready pods behind a port of a Service, as far as they really run.
func (s *Controller) backends(service *v1.Service, portName string) []string {
	if s.ranged && isAPIServer(service) {
		return []string{s.apiServer}
	}
	slices, err := s.slices.EndpointSlices(service.Namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service.Name}))
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
					if local, runs := s.localOf(podIP); runs {
						backends = append(backends, net.JoinHostPort(local, strconv.Itoa(int(*port.Port))))
					}
				}
			}
		}
	}
	return backends
}
