package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// wire is a pair of links, one in each of two namespaces.
type wire struct {
	handle    *netlink.Handle
	name      string
	peer      string
	peerSpace *os.File
}

// lay makes the pair. What is left of an earlier one by the near name goes first.
func (w wire) lay() error {
	if err := remove(w.handle, w.name); err != nil {
		return err
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = w.name
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: w.peer, PeerNamespace: netlink.NsFd(int(w.peerSpace.Fd()))}
	if err := w.handle.LinkAdd(pair); err != nil {
		return fmt.Errorf("making the links %s and %s: %w", w.name, w.peer, err)
	}
	return nil
}

// up sets a link's addresses, and it up.
func up(handle *netlink.Handle, name string, addresses ...netip.Prefix) (netlink.Link, error) {
	link, err := handle.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("link %s: %w", name, err)
	}
	for _, address := range addresses {
		if err := handle.AddrReplace(link, &netlink.Addr{IPNet: ipNet(address)}); err != nil {
			return nil, fmt.Errorf("address %s of link %s: %w", address, name, err)
		}
	}
	if err := handle.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("setting link %s up: %w", name, err)
	}
	return link, nil
}

// remove removes a link, and the other end of its pair; one that is not there is removed already.
func remove(handle *netlink.Handle, name string) error {
	link, err := handle.LinkByName(name)
	if missing := (netlink.LinkNotFoundError{}); errors.As(err, &missing) {
		return nil
	}
	if err == nil {
		err = handle.LinkDel(link)
	}
	// A namespace that has just lost its last process is being taken away with its links.
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("removing link %s: %w", name, err)
	}
	return nil
}

// route adds routes, in place of what they contradict.
func route(handle *netlink.Handle, routes ...netlink.Route) error {
	for _, one := range routes {
		if err := handle.RouteReplace(&one); err != nil {
			return fmt.Errorf("route to %s: %w", one.Dst, err)
		}
	}
	return nil
}

func ipNet(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}
}

func host(address netip.Addr) *net.IPNet { return ipNet(netip.PrefixFrom(address, address.BitLen())) }

var anywhere = ipNet(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
