package control

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// statusPath is where the server tells the rehearsal, in JSON, which nodes there are.
const statusPath = "/rehearsal/nodes"

// member is a node at one moment.
type member struct {
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
	Online  bool       `json:"online"`
	// Routes that the node may announce and does, and those of them that lead to it.
	Routes  []netip.Prefix `json:"routes,omitempty"`
	Primary []netip.Prefix `json:"primary,omitempty"`

	key      key.NodePublic
	lastSeen time.Time
}

// view is the tailnet at one moment, nodes in the order in which they registered.
type view struct {
	config  *Config
	members []member
}

func (all *nodes) view() view {
	all.mu.Lock()
	defer all.mu.Unlock()
	v := view{config: all.config}
	for _, n := range all.sorted() {
		m := member{Name: n.name, Address: n.address, Online: n.online(), Routes: slices.Clone(n.routes), key: n.key, lastSeen: n.lastSeen}
		for _, route := range n.routes {
			if all.primary[route] == n.key {
				m.Primary = append(m.Primary, route)
			}
		}
		v.members = append(v.members, m)
	}
	return v
}

func (v view) find(node key.NodePublic) *member {
	at := slices.IndexFunc(v.members, func(m member) bool { return m.key == node })
	if at < 0 {
		return nil
	}
	return &v.members[at]
}

func (v view) known(node key.NodePublic) bool { return v.find(node) != nil }

// dress writes onto a node what is known of it: name, whether it is online, and the ranges that lead to it.
func (v view) dress(node *tailcfg.Node) {
	m := v.find(node.Key)
	if m == nil {
		return
	}
	node.Name = m.Name + "." + v.config.Domain + "."
	node.Online = &m.Online
	if !m.Online {
		node.LastSeen = &m.lastSeen
	}
	node.PrimaryRoutes = m.Primary
	node.AllowedIPs = append(slices.Clone(node.Addresses), m.Primary...)
}

// globals are the records of the names that lead to whichever node is up. A node is not sent to itself unless no other one is up.
func (v view) globals(asking key.NodePublic) []tailcfg.DNSRecord {
	var records []tailcfg.DNSRecord
	for _, global := range v.config.Globals {
		var found *member
		for _, name := range global.Nodes {
			at := slices.IndexFunc(v.members, func(m member) bool { return m.Name == name && m.Online })
			if at >= 0 && (found == nil || found.key == asking) {
				found = &v.members[at]
			}
		}
		if found != nil {
			records = append(records, tailcfg.DNSRecord{Name: global.Name + "." + v.config.Domain, Value: found.Address.String()})
		}
	}
	return records
}

// filter is what may come in at a node: the configured ports, over TCP, from nodes that are no routers, at nodes that are none.
func (v view) filter(self *tailcfg.Node) []tailcfg.FilterRule {
	m := v.find(self.Key)
	var others []string
	for _, other := range v.members {
		if len(other.Routes) == 0 {
			others = append(others, other.Address.String())
		}
	}
	if m == nil || len(m.Routes) > 0 || len(others) == 0 {
		return []tailcfg.FilterRule{}
	}
	rule := tailcfg.FilterRule{SrcIPs: others, IPProto: []int{6}}
	for _, port := range v.config.Ports {
		rule.DstPorts = append(rule.DstPorts, tailcfg.NetPortRange{
			IP:    m.Address.String(),
			Ports: tailcfg.PortRange{First: port, Last: port},
		})
	}
	return []tailcfg.FilterRule{rule}
}

func (s *Server) serveStatus(w http.ResponseWriter) {
	v := s.nodes.view()
	names := map[string]string{}
	for _, record := range v.globals(key.NodePublic{}) {
		names[record.Name] = record.Value
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"nodes": v.members, "globals": maps.Clone(names)})
}
