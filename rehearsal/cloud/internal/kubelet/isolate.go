package kubelet

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"agentweave-mesh/rehearsal/cloud/internal/sandbox"
)

// isolate makes the pod's network, once, and what its containers' own roots consist of. Pods on their node's network
// have the cloud's.
func (p *pod) isolate() error {
	if !p.isolated {
		return nil
	}
	if p.network == nil && !p.latest().Spec.HostNetwork {
		// The address under which the API knows the pod works too, inside its cloud.
		known, err := netip.ParseAddr(p.kubelet.config.PodIP(p.octet))
		if err != nil {
			return err
		}
		if p.network, err = p.kubelet.network.AddPod(p.octet, known); err != nil {
			return err
		}
	}
	for name, text := range p.etc() {
		if err := os.MkdirAll(filepath.Dir(p.etcFile(name)), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(p.etcFile(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	for _, c := range append(slices.Clone(p.inits), p.containers...) {
		// Once, since the volumes' places are refreshed while processes start.
		c.binds = c.shown()
	}
	return os.MkdirAll(p.staging(), 0o700)
}

// etc are the files in /etc that a kubelet makes. There is no name server in a cloud of the rehearsal: of the names
// that one has in a cluster, programs look up the API server's by themselves.
func (p *pod) etc() map[string]string {
	apiServer := netip.MustParsePrefix(p.kubelet.config.ServiceCIDR).Addr().Next()
	return map[string]string{
		"hosts": fmt.Sprintf("127.0.0.1 localhost\n%s %s\n%s kubernetes.default.svc kubernetes.default.svc.cluster.local kubernetes.default kubernetes\n",
			p.address, p.name, apiServer),
		"resolv.conf": fmt.Sprintf("nameserver %s\n", p.kubelet.config.Address),
	}
}

func (p *pod) etcFile(name string) string { return filepath.Join(p.own, ".etc", name) }
func (p *pod) staging() string            { return filepath.Join(p.own, ".root") }

// sandboxed is the command that runs argv in the container's own root and the pod's network.
func (c *container) sandboxed(argv []string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd, err := sandbox.Command(self, sandbox.Spec{
		Hostname: c.pod.name, Dir: c.pod.root, Staging: c.pod.staging(), Network: c.pod.network != nil, Binds: c.binds,
	}, argv)
	if err == nil && c.pod.network != nil {
		cmd.ExtraFiles = []*os.File{c.pod.network.Namespace}
	}
	return cmd, err
}

// shown is what the container's root has that this machine's has not.
func (c *container) shown() []sandbox.Bind {
	// The pod's directory stays the working directory, and its volumes are below the cloud's.
	cloud := c.pod.kubelet.config.Dir
	binds := []sandbox.Bind{{Target: "/tmp", Source: c.scratch()}, {Target: cloud, Source: cloud}}
	for name := range c.pod.etc() {
		binds = append(binds, sandbox.Bind{Target: "/etc/" + name, Source: c.pod.etcFile(name), ReadOnly: true})
	}
	if c.image != nil {
		for inside, outside := range c.image.Executables {
			binds = append(binds, sandbox.Bind{Target: inside, Source: outside, ReadOnly: true})
		}
	}
	for _, mount := range c.spec.VolumeMounts {
		source := filepath.Join(c.pod.volumes[mount.Name], mount.SubPath)
		binds = append(binds, sandbox.Bind{Target: mount.MountPath, Source: source, ReadOnly: mount.ReadOnly})
	}
	return binds
}

// scratch is the container's /tmp, where that is no volume.
func (c *container) scratch() string { return filepath.Join(c.pod.own, ".tmp", c.spec.Name) }

// clean gives a container that starts an empty /tmp.
func (c *container) clean() error {
	if !c.pod.isolated {
		return nil
	}
	if err := os.RemoveAll(c.scratch()); err != nil {
		return err
	}
	return os.MkdirAll(c.scratch(), 0o700)
}
