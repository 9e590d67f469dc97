package control

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

var (
	pods     = netip.MustParsePrefix("10.120.0.0/16")
	stranger = netip.MustParsePrefix("192.168.0.0/16")
	config   = &Config{
		Domain: "mesh.test", Ports: []uint16{8443, 4317}, Routes: []netip.Prefix{pods},
		Globals: []Global{{Name: "global", Nodes: []string{"aws-agent", "gcp-agent"}}},
	}
)

// registered is a node as the test server knows it after it has logged in.
func registered(id int, host string, routes ...netip.Prefix) *tailcfg.Node {
	address := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, byte(id)}), 32)
	info := &tailcfg.Hostinfo{Hostname: host, RoutableIPs: routes}
	return &tailcfg.Node{
		ID: tailcfg.NodeID(id), Key: key.NewNode().Public(), Addresses: []netip.Prefix{address}, Hostinfo: info.View(),
	}
}

func nameOf(all *nodes, n *tailcfg.Node) string {
	if m := all.view().find(n.Key); m != nil {
		return m.Name
	}
	return ""
}

func TestARangeMovesToAnotherRouterWhenItsOwnLeavesAndStaysThere(t *testing.T) {
	all := newNodes(config)
	first, second := registered(1, "router-0", pods), registered(2, "router-1", pods)
	_, leave := all.join(first)
	all.join(second)
	if got := all.view().find(first.Key).Primary; !slices.Equal(got, []netip.Prefix{pods}) {
		t.Fatalf("the first router has %v", got)
	}
	leave()
	if got := all.view().find(second.Key).Primary; !slices.Equal(got, []netip.Prefix{pods}) {
		t.Errorf("the second router has %v after the first has left", got)
	}
	all.join(first)
	if got := all.view().find(first.Key).Primary; len(got) > 0 {
		t.Errorf("the first router has %v again, which the second one has not lost", got)
	}
}

func TestARangeThatNobodyApprovedLeadsToNobodyUntilItIsConfigured(t *testing.T) {
	all := newNodes(config)
	router := registered(1, "router-0", stranger)
	all.join(router)
	if got := all.view().find(router.Key); len(got.Routes) > 0 || len(got.Primary) > 0 {
		t.Errorf("it routes %v, has %v", got.Routes, got.Primary)
	}
	wider := *config
	wider.Routes = []netip.Prefix{stranger}
	all.reconfigure(&wider)
	if got := all.view().find(router.Key); !slices.Equal(got.Primary, []netip.Prefix{stranger}) {
		t.Errorf("it has %v after the range was approved", got.Primary)
	}
}

func TestANameIsOneNodesWhileThatIsOnlineAndThenItsSuccessors(t *testing.T) {
	all := newNodes(config)
	first, second, third := registered(1, "aws-agent"), registered(2, "aws-agent"), registered(3, "aws-agent")
	_, leave := all.join(first)
	all.join(second)
	if got := nameOf(all, second); got != "aws-agent-1" {
		t.Errorf("the second one is called %q", got)
	}
	leave()
	all.join(third)
	if got := nameOf(all, third); got != "aws-agent" {
		t.Errorf("the successor is called %q", got)
	}
	if got := nameOf(all, first); got != "" {
		t.Errorf("the one that it replaced is still there as %q", got)
	}
}

func TestANodeThatIsCutOffKeepsItsNameAndAddress(t *testing.T) {
	all := newNodes(config)
	agent := registered(1, "gcp-agent")
	_, leave := all.join(agent)
	leave()
	all.join(agent)
	if got := nameOf(all, agent); got != "gcp-agent" {
		t.Errorf("it came back as %q", got)
	}
}

func TestTheCommonNameLeadsToANodeThatIsOnlineAndNotTheOneThatAsks(t *testing.T) {
	all := newNodes(config)
	aws, gcp := registered(1, "aws-agent"), registered(2, "gcp-agent")
	_, leave := all.join(aws)
	all.join(gcp)
	answer := func(asking *tailcfg.Node) string {
		records := all.view().globals(asking.Key)
		if len(records) != 1 || records[0].Name != "global.mesh.test" {
			t.Fatalf("records %v", records)
		}
		return records[0].Value
	}
	if got := answer(gcp); got != "100.64.0.1" {
		t.Errorf("gcp is led to %s", got)
	}
	if got := answer(aws); got != "100.64.0.2" {
		t.Errorf("aws is led to %s", got)
	}
	leave()
	if got := answer(gcp); got != "100.64.0.2" {
		t.Errorf("gcp, the only one left, is led to %s", got)
	}
}

func TestNodesReachNodesThatAreNoRoutersAtTheirPortsAlone(t *testing.T) {
	all := newNodes(config)
	agent, router := registered(1, "aws-agent"), registered(2, "aws-router-0", pods)
	all.join(agent)
	all.join(router)
	rules := all.view().filter(agent)
	if len(rules) != 1 || !slices.Equal(rules[0].SrcIPs, []string{"100.64.0.1"}) || !slices.Equal(rules[0].IPProto, []int{6}) {
		t.Fatalf("at the agent: %+v", rules)
	}
	var want []tailcfg.NetPortRange
	for _, port := range config.Ports {
		want = append(want, tailcfg.NetPortRange{IP: "100.64.0.1", Ports: tailcfg.PortRange{First: port, Last: port}})
	}
	if to := rules[0].DstPorts; !reflect.DeepEqual(to, want) {
		t.Errorf("at the agent, to %+v", to)
	}
	if rules := all.view().filter(router); rules == nil || len(rules) > 0 {
		t.Errorf("at the router: %#v; nil would leave what was allowed before", rules)
	}
}

func TestAllNodesAreToldOfAChange(t *testing.T) {
	all := newNodes(config)
	changed, _ := all.join(registered(1, "aws-agent"))
	<-changed // its own arrival
	all.join(registered(2, "gcp-agent"))
	select {
	case <-changed:
	default:
		t.Error("nobody was told")
	}
}
