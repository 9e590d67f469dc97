package network

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// MakeWorld makes the calling process's own network namespace, a fresh one, the world of clouds.
func MakeWorld() error {
	err := makeWorld()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EROFS) {
		return fmt.Errorf("network namespaces with a bridge are not allowed here: %w", err)
	}
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("this kernel has no bridges or no policy routing: %w", err)
	}
	return err
}

func makeWorld() error {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer handle.Close()
	if err := fresh(handle); err != nil {
		return err
	}
	if err := routing(); err != nil {
		return err
	}
	if _, err := up(handle, "lo"); err != nil {
		return err
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = bridgeName
	// A bridge without one takes the lowest of its ports', and changes it when clouds come and go: those that stay would
	// for some time send to one that is gone.
	attributes.HardwareAddr = append(net.HardwareAddr{0x02, 0x00}, bridgeAddress.Addr().AsSlice()...)
	if err := handle.LinkAdd(&netlink.Bridge{LinkAttrs: attributes}); err != nil {
		return fmt.Errorf("making the bridge %s: %w", bridgeName, err)
	}
	if _, err := up(handle, bridgeName, bridgeAddress); err != nil {
		return err
	}
	// Only what starts here takes the operator's routes, not what passes from cloud to cloud.
	rule := netlink.NewRule()
	rule.IifName, rule.Table, rule.Priority, rule.Family = "lo", operatorTable, operatorPriority, unix.AF_INET
	if err := handle.RuleAdd(rule); err != nil {
		return fmt.Errorf("making the rule for the operator's routes: %w", err)
	}
	return nil
}

// fresh refuses a network namespace that is in use, this machine's own above all.
func fresh(handle *netlink.Handle) error {
	links, err := handle.LinkList()
	if err != nil {
		return err
	}
	for _, link := range links {
		// A fresh one has `lo`, and by some kernels tunnels that lead nowhere.
		kind, name := link.Type(), link.Attrs().Name
		if kind == "veth" || kind == "bridge" || kind == "device" && name != "lo" {
			return fmt.Errorf("there is a link %s already; this has to start in a fresh network namespace (unshare --net)", name)
		}
	}
	return nil
}

// SetWan cuts or mends a cloud's link to the other clouds. It is called in the world's namespace.
func SetWan(index int, mended bool) error {
	link, err := netlink.LinkByName(wanName(index))
	if missing := (netlink.LinkNotFoundError{}); errors.As(err, &missing) {
		return fmt.Errorf("no link %s here: the cloud does not run, or this was not started inside the world", wanName(index))
	}
	if err != nil {
		return err
	}
	if mended {
		return netlink.LinkSetUp(link)
	}
	return netlink.LinkSetDown(link)
}
