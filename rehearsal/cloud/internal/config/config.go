// Package config reads what one cloud of the rehearsal consists of.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"agentweave-mesh/rehearsal/cloud/internal/network"
)

// EgressSocket is where the API server asks for connections to kubelets and pods, relative to the cloud's directory, in which the
// supervisor and the API server both work: a unix socket's path must not be longer than some 100 bytes.
const EgressSocket = "run/egress.sock"

// Config is the whole of cloud.json. Unknown keys are refused.
type Config struct {
	// Name of the cloud, for example "aws"; the kubeconfig's context is "<name>-cluster".
	Name string `json:"name"`
	// Address is the cloud's own loopback IPv4 address, for example "127.0.11.1", or the one that its place in the world
	// has. The rest of its /24 belongs to the cloud too: pods from .20, Services from .200.
	Address string `json:"address"`
	// Dir is the state directory (absolute path). It outlives the supervisor; removing it removes the cloud.
	Dir string `json:"dir"`
	// Binaries are absolute paths of the programs that the supervisor starts.
	Binaries Binaries `json:"binaries"`
	// Nodes is the number of simulated nodes, 1 or more.
	Nodes int `json:"nodes"`
	// PodCIDR and ServiceCIDR are IPv4 ranges, in CIDR notation, /22 or larger and /24 or larger.
	PodCIDR     string `json:"podCidr"`
	ServiceCIDR string `json:"serviceCidr"`
	// Region is written on the nodes as topology.kubernetes.io/region.
	Region string `json:"region"`
	// Images says which pods run as local processes. Pods of all other images are simulated.
	Images []Image `json:"images"`
	// CSI maps the name of a CSI driver to the directory of the node (absolute path) that its volumes show.
	CSI map[string]string `json:"csi,omitempty"`
	// World is where the cloud has a network of its own. Default: none, it shares this machine's loopback network.
	World *World `json:"world,omitempty"`
}

// World is a cloud's place among those that have networks of their own.
type World struct {
	// Dir is the directory of the running world (absolute path), which has its world.pid.
	Dir string `json:"dir"`
	// Index is the cloud's number n, 1 to 200, unlike any other's; the cloud's address is then 10.201.<n>.1.
	Index int `json:"index"`
}

// Binaries of the control plane and the node simulator.
type Binaries struct {
	Etcd                  string `json:"etcd"`
	KubeApiserver         string `json:"kubeApiserver"`
	KubeControllerManager string `json:"kubeControllerManager"`
	KubeScheduler         string `json:"kubeScheduler"`
	Kwok                  string `json:"kwok"`
}

// Image says how containers of some images run as local processes.
type Image struct {
	// Match is a regular expression (RE2) on the container's image.
	Match string `json:"match"`
	// Entrypoint stands for the image's own, for containers without a command. Default: none, such containers fail.
	Entrypoint []string `json:"entrypoint,omitempty"`
	// Executables maps a program's path in the container to an absolute path on this machine.
	Executables map[string]string `json:"executables"`

	pattern *regexp.Regexp
}

// Program finds a command of such containers, which is a path in the container, or, as on a container's PATH, a name alone. It returns the
// path in the container and the program on this machine; both are empty when there is none.
func (i *Image) Program(command string) (path, program string) {
	for path, program := range i.Executables {
		if path == command || filepath.Base(path) == command {
			return path, program
		}
	}
	return "", ""
}

// Load reads and checks a configuration file. The error lists every problem.
func Load(file string) (*Config, error) {
	reader, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	decoder := json.NewDecoder(reader)
	decoder.DisallowUnknownFields()
	var c Config
	if err := decoder.Decode(&c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &c, c.check()
}

func (c *Config) check() error {
	var problems []error
	refuse := func(format string, values ...any) { problems = append(problems, fmt.Errorf(format, values...)) }
	if !regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`).MatchString(c.Name) {
		refuse("name %q: want a DNS label", c.Name)
	}
	if address, err := netip.ParseAddr(c.Address); err != nil || !address.Is4() || address.As4()[3] >= FirstPod {
		refuse("address %q: want an IPv4 address whose last octet is below %d", c.Address, FirstPod)
	}
	for _, r := range []struct {
		name, value string
		bits        int
	}{{"podCidr", c.PodCIDR, 22}, {"serviceCidr", c.ServiceCIDR, 24}} {
		prefix, err := netip.ParsePrefix(r.value)
		if err != nil || !prefix.Addr().Is4() || prefix.Bits() > r.bits || prefix.Masked() != prefix {
			refuse("%s %q: want an IPv4 range of /%d or larger without host bits", r.name, r.value, r.bits)
		}
	}
	if c.Nodes < 1 {
		refuse("nodes %d: want 1 or more", c.Nodes)
	}
	paths := map[string]string{
		"dir":                            c.Dir,
		"binaries.etcd":                  c.Binaries.Etcd,
		"binaries.kubeApiserver":         c.Binaries.KubeApiserver,
		"binaries.kubeControllerManager": c.Binaries.KubeControllerManager,
		"binaries.kubeScheduler":         c.Binaries.KubeScheduler,
		"binaries.kwok":                  c.Binaries.Kwok,
	}
	for driver, directory := range c.CSI {
		paths[fmt.Sprintf("csi[%q]", driver)] = directory
	}
	for i := range c.Images {
		pattern, err := regexp.Compile(c.Images[i].Match)
		if err != nil || c.Images[i].Match == "" {
			refuse("images[%d].match %q: want a regular expression (%v)", i, c.Images[i].Match, err)
		}
		c.Images[i].pattern = pattern
		for inside, outside := range c.Images[i].Executables {
			paths[fmt.Sprintf("images[%d].executables[%q]", i, inside)] = outside
		}
	}
	if world := c.World; world != nil {
		paths["world.dir"] = world.Dir
		if world.Index < network.FirstIndex || world.Index > network.LastIndex {
			refuse("world.index %d: want %d to %d", world.Index, network.FirstIndex, network.LastIndex)
		} else if want := network.Address(world.Index).String(); c.Address != want {
			refuse("address %q: want %s, the address of number %d in the world", c.Address, want, world.Index)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		if !filepath.IsAbs(paths[name]) {
			refuse("%s %q: want an absolute path", name, paths[name])
		}
	}
	return errors.Join(problems...)
}

// ImageOf returns the entry for a container's image, or nil when the image is to be simulated.
func (c *Config) ImageOf(image string) *Image {
	for i := range c.Images {
		if c.Images[i].pattern.MatchString(image) {
			return &c.Images[i]
		}
	}
	return nil
}
