package control

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// forgetAfter is how long a node without routes may be away until it is forgotten: it was an ephemeral one.
const forgetAfter = 5 * time.Minute

// node is what this package knows of a node that was online once.
type node struct {
	key     key.NodePublic
	id      tailcfg.NodeID
	address netip.Addr
	// name, without the domain, is the node's alone for as long as it is online.
	name string
	// routes are those that it has announced and may.
	announced, routes []netip.Prefix
	// changed is the channel of the map request that lasts; nil while the node is not online, since lastSeen.
	changed  chan struct{}
	lastSeen time.Time
}

func (n *node) online() bool { return n.changed != nil }

// nodes are all nodes of the tailnet that are not forgotten.
type nodes struct {
	config *Config
	mu     sync.Mutex
	byKey  map[key.NodePublic]*node
	// primary is the router of each range.
	primary map[netip.Prefix]key.NodePublic
}

func newNodes(c *Config) *nodes {
	return &nodes{config: c, byKey: map[key.NodePublic]*node{}, primary: map[netip.Prefix]key.NodePublic{}}
}

// join makes a node online until leave is called. The channel has a signal for each change of the tailnet, several in one at times,
// and is closed when the same node joins again.
func (all *nodes) join(member *tailcfg.Node) (changed <-chan struct{}, leave func()) {
	all.mu.Lock()
	defer all.mu.Unlock()
	n := all.byKey[member.Key]
	if n == nil {
		n = &node{key: member.Key, id: member.ID, address: member.Addresses[0].Addr()}
		all.byKey[member.Key] = n
	}
	if n.changed != nil {
		close(n.changed)
	}
	mine := make(chan struct{}, 1)
	n.changed = mine
	all.describe(n, member)
	all.settle()
	return mine, func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		if n.changed == mine {
			n.changed, n.lastSeen = nil, time.Now()
			all.settle()
		}
	}
}

// changed takes over what a node says of itself.
func (all *nodes) changed(member *tailcfg.Node) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if n := all.byKey[member.Key]; n != nil {
		all.describe(n, member)
	}
	all.settle()
}

// reconfigure takes over which ranges may be announced, and which names lead to several nodes.
func (all *nodes) reconfigure(c *Config) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.config = c
	for _, n := range all.byKey {
		n.routes = all.approved(n.announced)
	}
	all.settle()
}

func (all *nodes) approved(routes []netip.Prefix) []netip.Prefix {
	var approved []netip.Prefix
	for _, route := range routes {
		if slices.Contains(all.config.Routes, route) {
			approved = append(approved, route)
		}
	}
	return approved
}

// forget takes a node out of the tailnet that leaves it for good.
func (all *nodes) forget(key key.NodePublic) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.byKey, key)
	all.settle()
}

func (all *nodes) describe(n *node, member *tailcfg.Node) {
	info := member.Hostinfo
	n.announced = info.RoutableIPs().AsSlice()
	n.routes = all.approved(n.announced)
	n.name = all.freeName(n, info.Hostname())
}

// freeName is the name that a node asks for, with a number after it while another node that is online has it. A node that went away
// and whose name another one takes is forgotten: that other one has come in its place.
func (all *nodes) freeName(n *node, wanted string) string {
	for number := 0; ; number++ {
		name := wanted
		if number > 0 {
			name = fmt.Sprintf("%s-%d", wanted, number)
		}
		holder := all.holder(name)
		if holder != nil && holder != n {
			if holder.online() {
				continue
			}
			delete(all.byKey, holder.key)
		}
		return name
	}
}

func (all *nodes) holder(name string) *node {
	for _, n := range all.byKey {
		if n.name == name {
			return n
		}
	}
	return nil
}

// settle gives every range a router that is online where there is one, forgets who is gone for long, and tells all nodes. The router
// that a range has stays while it is online.
func (all *nodes) settle() {
	for _, n := range all.byKey {
		if !n.online() && len(n.routes) == 0 && time.Since(n.lastSeen) > forgetAfter {
			delete(all.byKey, n.key)
		}
	}
	for _, route := range all.config.Routes {
		if n := all.byKey[all.primary[route]]; n != nil && n.online() && slices.Contains(n.routes, route) {
			continue
		}
		for _, n := range all.sorted() {
			if n.online() && slices.Contains(n.routes, route) {
				all.primary[route] = n.key
				break
			}
		}
	}
	for _, n := range all.byKey {
		if n.online() {
			select {
			case n.changed <- struct{}{}:
			default:
			}
		}
	}
}

// sorted returns all nodes, the one that registered first first.
func (all *nodes) sorted() []*node {
	var list []*node
	for _, n := range all.byKey {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b *node) int { return cmp.Compare(a.id, b.id) })
	return list
}
