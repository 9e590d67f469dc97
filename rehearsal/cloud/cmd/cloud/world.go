package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"agentweave-mesh/rehearsal/cloud/internal/config"
	"agentweave-mesh/rehearsal/cloud/internal/controlplane"
	"agentweave-mesh/rehearsal/cloud/internal/network"
	"agentweave-mesh/rehearsal/cloud/internal/process"
)

func worldPidFile(dir string) string { return filepath.Join(dir, "world.pid") }

// runWorld is the world's whole life. What holds its network is that this process is in it.
func runWorld(dir string) error {
	refuse := func(err error) error { return &controlplane.Failure{What: "world", Err: err} }
	if !filepath.IsAbs(dir) {
		return refuse(fmt.Errorf("-dir %q: want an absolute path", dir))
	}
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := leash()
	defer stop()
	if pid := process.Running(worldPidFile(dir)); pid != 0 {
		return refuse(fmt.Errorf("it already runs, as process %d", pid))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return refuse(err)
	}
	if err := network.MakeWorld(); err != nil {
		return refuse(err)
	}
	if err := process.WriteIdentity(worldPidFile(dir), os.Getpid()); err != nil {
		return refuse(err)
	}
	defer os.Remove(worldPidFile(dir))
	emit(event{Event: "ready"})
	<-ctx.Done()
	emit(event{Event: "stopping"})
	return nil
}

// join gives the cloud the network of its place in the world; nothing when it has none.
func join(c *config.Config) (*network.Cloud, error) {
	if c.World == nil {
		return nil, nil
	}
	var joined *network.Cloud
	services, err := netip.ParsePrefix(c.ServiceCIDR)
	if err == nil {
		pid := process.Running(worldPidFile(c.World.Dir))
		if pid == 0 {
			err = fmt.Errorf("the world in %s does not run", c.World.Dir)
		} else {
			joined, err = network.Join(pid, c.World.Index, services)
		}
	}
	if err != nil {
		return nil, &controlplane.Failure{What: "network", Err: err}
	}
	return joined, nil
}

// setLink cuts or mends the link between a cloud and the others.
func setLink(dir, state string) error {
	if state != "up" && state != "down" {
		return fmt.Errorf("-state %q: want up or down", state)
	}
	c, err := config.Load(filepath.Join(dir, "cloud.json"))
	if err != nil {
		return err
	}
	if c.World == nil {
		return fmt.Errorf("cloud %s has no network of its own, and so no link", c.Name)
	}
	return network.SetWan(c.World.Index, state == "up")
}
