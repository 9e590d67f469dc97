package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Pod is the network namespace of one pod.
type Pod struct {
	// Namespace is what its processes enter.
	Namespace *os.File
	cloud     *Cloud
	octet     int
}

// AddPod makes the network namespace of a pod. Its address is the one of the cloud's range with the last octet; it
// also has `others`, which are known in this cloud only.
func (c *Cloud) AddPod(octet int, others ...netip.Addr) (*Pod, error) {
	namespace, err := newNamespace()
	if err != nil {
		return nil, err
	}
	p := &Pod{Namespace: namespace, cloud: c, octet: octet}
	bytes := Range(c.index).Addr().As4()
	bytes[3] = byte(octet)
	addresses := append([]netip.Addr{netip.AddrFrom4(bytes)}, others...)
	err = wire{c.here, podName(octet), "eth0", namespace}.lay()
	if err == nil {
		err = within(namespace, func() error { return inside(addresses) })
	}
	if err == nil {
		err = c.reach(octet, addresses)
	}
	if err != nil {
		p.Remove()
		return nil, fmt.Errorf("network of pod %s: %w", addresses[0], err)
	}
	return p, nil
}

// inside configures a pod's own side. It runs in the pod's namespace.
func inside(addresses []netip.Addr) error {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer handle.Close()
	var prefixes []netip.Prefix
	for _, address := range addresses {
		prefixes = append(prefixes, netip.PrefixFrom(address, address.BitLen()))
	}
	if _, err := up(handle, "lo"); err != nil {
		return err
	}
	eth0, err := up(handle, "eth0", prefixes...)
	if err != nil {
		return err
	}
	return route(handle,
		netlink.Route{LinkIndex: eth0.Attrs().Index, Dst: host(podGateway), Scope: netlink.SCOPE_LINK},
		netlink.Route{LinkIndex: eth0.Attrs().Index, Dst: anywhere, Gw: podGateway.AsSlice(), Src: addresses[0].AsSlice()})
}

// reach configures the cloud's side of a pod's link.
func (c *Cloud) reach(octet int, addresses []netip.Addr) error {
	link, err := up(c.here, podName(octet), netip.PrefixFrom(podGateway, podGateway.BitLen()))
	for _, address := range addresses {
		if err == nil {
			// In the table of the cloud's own addresses, which comes first, because it has the whole range of this one.
			err = route(c.here, netlink.Route{
				LinkIndex: link.Attrs().Index, Dst: host(address), Src: Address(c.index).AsSlice(),
				Scope: netlink.SCOPE_LINK, Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_UNICAST,
			})
		}
	}
	return err
}

// Remove ends what still runs in the pod, and takes its link and its namespace away.
func (p *Pod) Remove() error {
	return errors.Join(p.end(), remove(p.cloud.here, podName(p.octet)), p.Namespace.Close())
}

// end kills the processes that are left in the pod's namespace. A container's end is the end of all that is in it, but here a process in a
// group of its own, as containerboot starts tailscaled, outlives the one that started it.
func (p *Pod) end() error {
	own, err := p.Namespace.Stat()
	if err != nil {
		return err
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		pid, notANumber := strconv.Atoi(filepath.Base(process))
		namespace, gone := os.Stat(filepath.Join(process, "ns", "net"))
		if notANumber == nil && gone == nil && pid != os.Getpid() && os.SameFile(own, namespace) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	return err
}
