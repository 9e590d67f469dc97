package config

import "testing"

func TestAPodsAddressInTheAPILeadsToTheOneItListensOn(t *testing.T) {
	for _, c := range []Config{{Address: "127.0.11.1", PodCIDR: "10.20.0.0/16"}, {Address: "127.0.11.1", PodCIDR: "10.20.4.0/22"}} {
		want := map[string]string{"10.20.0.0/16": "10.20.255.21", "10.20.4.0/22": "10.20.7.21"}[c.PodCIDR]
		if got := c.PodIP(21); got != want {
			t.Errorf("%s: pod 21 is %s, want %s", c.PodCIDR, got, want)
		}
		if local, runs := c.LocalOfPodIP(want); !runs || local != "127.0.11.21" {
			t.Errorf("%s: %s leads to %q", c.PodCIDR, want, local)
		}
	}
}

func TestSimulatedPodsHaveNoAddressOnThisMachine(t *testing.T) {
	c := Config{Address: "127.0.11.1", PodCIDR: "10.20.0.0/16"}
	for _, podIP := range []string{"10.20.0.21", "10.20.255.5", "10.20.255.200", "10.21.255.21", "fd00::1", ""} {
		if local, runs := c.LocalOfPodIP(podIP); runs {
			t.Errorf("%s leads to %s", podIP, local)
		}
	}
}

func TestACommandIsFoundByItsPathOrItsName(t *testing.T) {
	image := Image{Executables: map[string]string{"/usr/local/bin/tailscale": "/here/tailscale"}}
	for command, want := range map[string]string{
		"/usr/local/bin/tailscale": "/here/tailscale", "tailscale": "/here/tailscale", "/bin/tailscale": "", "bin/tailscale": "", "sh": "",
	} {
		if _, got := image.Program(command); got != want {
			t.Errorf("%s runs %q, want %q", command, got, want)
		}
	}
}
