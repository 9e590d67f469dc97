package services

import (
	"net/netip"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// listenOn are the addresses at which a Service is to be reached: its own of the cloud where it has one, and that of the
// cluster's Service range where the cloud has a network of its own, in which such addresses are possible.
func (s *Controller) listenOn(service *v1.Service, address string) []string {
	var all []string
	if address != "" {
		all = append(all, address)
	}
	// Services without a cluster address say "None" or have none yet.
	if _, err := netip.ParseAddr(service.Spec.ClusterIP); s.ranged && err == nil {
		all = append(all, service.Spec.ClusterIP)
	}
	return all
}

// isAPIServer tells the Service of the API server, which has no pods.
func isAPIServer(service *v1.Service) bool {
	return service.Namespace == metav1.NamespaceDefault && service.Name == "kubernetes"
}
