package config

import (
	"net"
	"net/netip"
	"strconv"
)

// How the cloud's own /24 of addresses is divided, by the last octet: infrastructure below FirstPod, then pods
// that really run, then Services.
const (
	FirstPod     = 20
	FirstService = 200
	LastService  = 254
)

// Ports of the cloud's address. Every cloud has an address of its own, so that all use the same ones.
const (
	APIServerPort         = 6443
	EtcdPort              = 2379
	EtcdPeerPort          = 2380
	KubeletPort           = 10250
	KwokPort              = 10247
	ControllerManagerPort = 10257
	SchedulerPort         = 10259
)

// Local returns the cloud's address with the given last octet.
func (c *Config) Local(octet int) string {
	bytes := netip.MustParseAddr(c.Address).As4()
	bytes[3] = byte(octet)
	return netip.AddrFrom4(bytes).String()
}

// APIServerAddress returns address and port of the cloud's API server.
func (c *Config) APIServerAddress() string {
	return net.JoinHostPort(c.Address, strconv.Itoa(APIServerPort))
}

// APIServer returns its URL.
func (c *Config) APIServer() string { return "https://" + c.APIServerAddress() }

// PodIP returns the address under which the API knows the pod that listens on Local(octet). It is in the last /24 of
// the pod range (nodes get theirs from the start), because Kubernetes refuses loopback addresses in EndpointSlices.
func (c *Config) PodIP(octet int) string {
	prefix := netip.MustParsePrefix(c.PodCIDR)
	bytes := prefix.Addr().As4()
	for bit := prefix.Bits(); bit < 24; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	bytes[3] = byte(octet)
	return netip.AddrFrom4(bytes).String()
}

// LocalOfPodIP is the reverse of PodIP: the address a pod really listens on. It is false for simulated pods.
func (c *Config) LocalOfPodIP(podIP string) (string, bool) {
	address, err := netip.ParseAddr(podIP)
	if err != nil || !address.Is4() {
		return "", false
	}
	octet := int(address.As4()[3])
	if octet < FirstPod || octet >= FirstService || c.PodIP(octet) != podIP {
		return "", false
	}
	return c.Local(octet), true
}
