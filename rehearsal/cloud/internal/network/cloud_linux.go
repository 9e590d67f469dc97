package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Cloud is the network of one cloud. It is in the namespace in which the process has started.
type Cloud struct {
	index int
	// here and there are the cloud's namespace and the world's.
	here, there *netlink.Handle
}

// Join makes the calling process's own network namespace, a fresh one, the cloud's, and ties it to the world that
// process worldPid is in. Whatever of the cloud's range and of `local` is no pod's is then this namespace's own.
func Join(worldPid, index int, local ...netip.Prefix) (*Cloud, error) {
	world, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", worldPid))
	if err != nil {
		return nil, fmt.Errorf("the world's network namespace: %w", err)
	}
	defer world.Close()
	here, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	if err := fresh(here); err != nil {
		here.Close()
		return nil, err
	}
	there, err := netlink.NewHandleAt(netns.NsHandle(world.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		here.Close()
		return nil, fmt.Errorf("entering the world's network namespace: %w", err)
	}
	c := &Cloud{index: index, here: here, there: there}
	err = routing()
	if err == nil {
		err = c.tie(world)
	}
	if err == nil {
		err = c.claim(append(local, Range(index)))
	}
	if err != nil {
		c.Leave()
		return nil, err
	}
	return c, nil
}

// tie lays the cloud's two links to the world, and what each side knows of the other.
func (c *Cloud) tie(world *os.File) error {
	for _, name := range []string{wanName(c.index), mgmtName(c.index)} {
		if err := remove(c.there, name); err != nil { // of a former life of the cloud
			return err
		}
	}
	for _, w := range []wire{{c.here, "eth0", wanName(c.index), world}, {c.here, "mgmt", mgmtName(c.index), world}} {
		if err := w.lay(); err != nil {
			return err
		}
	}
	bridge, err := c.there.LinkByName(bridgeName)
	if err != nil {
		return fmt.Errorf("link %s of the world: %w", bridgeName, err)
	}
	port, err := up(c.there, wanName(c.index))
	if err != nil {
		return err
	}
	if err := c.there.LinkSetMaster(port, bridge); err != nil {
		return fmt.Errorf("joining %s to %s: %w", wanName(c.index), bridgeName, err)
	}
	wan, err := up(c.here, "eth0", wanAddress(c.index))
	if err != nil {
		return err
	}
	operatorEnd, cloudEnd := mgmtAddresses(c.index)
	if _, err := up(c.here, "mgmt", cloudEnd); err != nil {
		return err
	}
	mgmt, err := up(c.there, mgmtName(c.index), operatorEnd)
	if err != nil {
		return err
	}
	return errors.Join(
		route(c.here, netlink.Route{LinkIndex: wan.Attrs().Index, Dst: anywhere, Gw: bridgeAddress.Addr().AsSlice()}),
		route(c.there, c.wanRoute(bridge), netlink.Route{
			LinkIndex: mgmt.Attrs().Index, Dst: host(Address(c.index)), Gw: cloudEnd.Addr().AsSlice(), Table: operatorTable,
		}))
}

// wanRoute is how the world reaches the cloud's range.
func (c *Cloud) wanRoute(bridge netlink.Link) netlink.Route {
	return netlink.Route{LinkIndex: bridge.Attrs().Index, Dst: ipNet(Range(c.index)), Gw: wanAddress(c.index).Addr().AsSlice()}
}

// claim makes every address of the ranges one on which this namespace's processes can listen.
func (c *Cloud) claim(ranges []netip.Prefix) error {
	lo, err := up(c.here, "lo")
	for _, local := range ranges {
		if err == nil {
			err = route(c.here, netlink.Route{
				LinkIndex: lo.Attrs().Index, Dst: ipNet(local), Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST,
			})
		}
	}
	return err
}

// Leave takes the cloud's links away. Without it they end soon after the last process of the cloud.
func (c *Cloud) Leave() {
	_ = remove(c.here, "eth0")
	_ = remove(c.here, "mgmt")
	if bridge, err := c.there.LinkByName(bridgeName); err == nil {
		stale := c.wanRoute(bridge)
		_ = c.there.RouteDel(&stale)
	}
	c.here.Close()
	c.there.Close()
}
