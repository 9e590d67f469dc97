package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"agentweave-mesh/rehearsal/cloud/internal/config"
)

// limit on every wait of these tests.
const limit = 10 * time.Second

var cloud = &config.Config{Address: "127.93.7.1", PodCIDR: "10.20.0.0/16"}

// run starts a controller on a cluster of these objects.
func run(t *testing.T, objects ...runtime.Object) (*Controller, *fake.Clientset) {
	t.Helper()
	client := fake.NewClientset(objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := New(t.Context(), cloud, client, factory)
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		controller.Run(ctx, func(service string, err error) { t.Errorf("%s: %v", service, err) })
	}()
	t.Cleanup(func() { stop(); <-ended })
	return controller, client
}

func service(name string, kind v1.ServiceType, ingress ...v1.LoadBalancerIngress) *v1.Service {
	return &v1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name},
		Spec:       v1.ServiceSpec{Type: kind, Ports: []v1.ServicePort{{Name: "rpc", Port: 18443, Protocol: v1.ProtocolTCP}}},
		Status:     v1.ServiceStatus{LoadBalancer: v1.LoadBalancerStatus{Ingress: ingress}},
	}
}

// endpoints says that pod 21, which listens on `port`, is behind a Service.
func endpoints(name string, port int32, ready bool) *discoveryv1.EndpointSlice {
	portName := "rpc"
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		Ports:      []discoveryv1.EndpointPort{{Name: &portName, Port: &port}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{cloud.PodIP(21)}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	}
}

// echo is what a pod with address 21 runs: it sends back what it gets.
func echo(t *testing.T) int32 {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(cloud.Local(21), "0"))
	if err != nil {
		t.Skipf("this machine has no such loopback address: %v", err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				_, _ = io.Copy(connection, connection)
			}()
		}
	}()
	return int32(listener.Addr().(*net.TCPAddr).Port)
}

// eventually tries until the error is gone.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

func answers(connection net.Conn) error {
	if err := connection.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := connection.Write([]byte("x")); err != nil {
		return err
	}
	_, err := connection.Read(make([]byte, 1))
	return err
}

func TestAServiceIsReachedUnderTheAddressThatItsNameHadBeforeItExisted(t *testing.T) {
	port := echo(t)
	controller, client := run(t)
	address := controller.Address("a", "later")
	if other := controller.Address("b", "later"); other == address || controller.Address("a", "later") != address {
		t.Fatalf("later.a is %s and %s, later.b is %s", address, controller.Address("a", "later"), other)
	}
	if _, err := client.CoreV1().Services("a").Create(t.Context(), service("later", v1.ServiceTypeClusterIP), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.DiscoveryV1().EndpointSlices("a").Create(t.Context(), endpoints("later", port, true), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "reach the Service", func() error {
		connection, err := net.Dial("tcp", net.JoinHostPort(address, "18443"))
		if err != nil {
			return err
		}
		defer connection.Close()
		return answers(connection)
	})
}

func TestALoadBalancerPublishesTheAddressThatPodsHave(t *testing.T) {
	controller, client := run(t)
	address := controller.Address("a", "public")
	if _, err := client.CoreV1().Services("a").Create(t.Context(), service("public", v1.ServiceTypeLoadBalancer), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "publish "+address, func() error {
		found, err := client.CoreV1().Services("a").Get(t.Context(), "public", metav1.GetOptions{})
		if err == nil && published(found) != address {
			err = fmt.Errorf("it has %q", published(found))
		}
		return err
	})
}

func TestAddressesPublishedInAnEarlierLifeAreNotGivenAway(t *testing.T) {
	first := cloud.Local(config.FirstService)
	controller, _ := run(t, service("old", v1.ServiceTypeLoadBalancer, v1.LoadBalancerIngress{IP: first}))
	if got := controller.Address("a", "new"); got == first {
		t.Errorf("%s was given to another Service", got)
	}
	if got := controller.Address("a", "old"); got != first {
		t.Errorf("the Service that had %s has %s now", first, got)
	}
}

func TestWithoutAReadyPodCallersAreRefusedAndOpenConnectionsStay(t *testing.T) {
	port := echo(t)
	controller, client := run(t, service("busy", v1.ServiceTypeClusterIP), endpoints("busy", port, true))
	address := net.JoinHostPort(controller.Address("a", "busy"), "18443")
	var open net.Conn
	eventually(t, "reach the Service", func() (err error) {
		if open, err = net.Dial("tcp", address); err != nil {
			return err
		}
		return answers(open)
	})
	defer open.Close()
	if _, err := client.DiscoveryV1().EndpointSlices("a").Update(t.Context(), endpoints("busy", port, false), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "be refused", func() error {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return nil
		}
		connection.Close()
		return errors.New("somebody listens")
	})
	if err := answers(open); err != nil {
		t.Errorf("the open connection ended: %v", err)
	}
}

func TestWhenAllAddressesAreTakenANameHasNone(t *testing.T) {
	addresses := newAddresses(cloud)
	for octet := config.FirstService; octet <= config.LastService; octet++ {
		if got := addresses.of(string(rune('a' + octet))); got != cloud.Local(octet) {
			t.Fatalf("%d: %s", octet, got)
		}
	}
	if got := addresses.of("one more"); got != "" {
		t.Errorf("one more got %s", got)
	}
}
