// Package network gives each cloud of the rehearsal a network of its own: a network namespace, joined by a bridge in the
// namespace of the "world", with one more namespace for each pod.
//
//	world   mesh0 10.200.0.1/16, a bridge            operator
//	        │ wan<n>                                 │ mgmt<n> 10.199.<n>.1/30
//	cloud n │ eth0 10.200.0.<10+n>/16                │ mgmt 10.199.<n>.2/30
//	        10.201.<n>.0/24: .1 for the API server, pods, Services (all local, see ip-route(8), type `local`)
//	        │ pod<octet> 169.254.1.1/32
//	pod     eth0 10.201.<n>.<octet>/32
//
// Traffic between clouds takes the wan links, which can be cut. What the operator starts in the world reaches an API
// server by the mgmt link, as it reaches a real cloud's whatever becomes of the network between the clouds.
package network

import (
	"fmt"
	"net/netip"
)

// FirstIndex and LastIndex are the range of the numbers that clouds have in their world.
const (
	FirstIndex = 1
	LastIndex  = 200
)

const (
	bridgeName = "mesh0"
	// operatorTable has the routes of what is started in the world itself.
	operatorTable    = 100
	operatorPriority = 1000
)

var (
	bridgeAddress = netip.MustParsePrefix("10.200.0.1/16")
	// podGateway is every pod's next hop. Each pod has it at the other end of its own link only.
	podGateway = netip.MustParseAddr("169.254.1.1")
)

// Range is the /24 of a cloud's own addresses.
func Range(index int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 201, byte(index), 0}), 24)
}

// Address is where a cloud's API server listens.
func Address(index int) netip.Addr { return Range(index).Addr().Next() }

// wanAddress is a cloud's address on the bridge between the clouds.
func wanAddress(index int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, 0, byte(10 + index)}), bridgeAddress.Bits())
}

// mgmtAddresses are the ends of a cloud's link to the operator.
func mgmtAddresses(index int) (world, cloud netip.Prefix) {
	end := func(host byte) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 199, byte(index), host}), 30)
	}
	return end(1), end(2)
}

// wanName and mgmtName are the world's ends of a cloud's links.
func wanName(index int) string  { return fmt.Sprintf("wan%d", index) }
func mgmtName(index int) string { return fmt.Sprintf("mgmt%d", index) }

// podName is the cloud's end of a pod's link.
func podName(octet int) string { return fmt.Sprintf("pod%d", octet) }
