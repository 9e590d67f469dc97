package services

import (
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAddressesOfTheServiceRangeWorkInANetworkOfTheCloudsOwnOnly(t *testing.T) {
	in := func(clusterIP string) *v1.Service { return &v1.Service{Spec: v1.ServiceSpec{ClusterIP: clusterIP}} }
	for _, one := range []struct {
		ranged             bool
		clusterIP, address string
		want               []string
	}{
		{false, "10.21.0.7", "127.0.11.200", []string{"127.0.11.200"}},
		{true, "10.21.0.7", "10.201.1.200", []string{"10.201.1.200", "10.21.0.7"}},
		{true, "10.21.0.7", "", []string{"10.21.0.7"}},
		{true, v1.ClusterIPNone, "", nil},
		{true, "", "", nil},
	} {
		if got := (&Controller{ranged: one.ranged}).listenOn(in(one.clusterIP), one.address); !slices.Equal(got, one.want) {
			t.Errorf("%+v: %v", one, got)
		}
	}
}

func TestTheAPIServersServiceLeadsToIt(t *testing.T) {
	service := &v1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"}}
	s := &Controller{ranged: true, apiServer: "10.201.1.1:6443"}
	if got := s.backends(service, "https"); !slices.Equal(got, []string{s.apiServer}) {
		t.Error(got)
	}
}
