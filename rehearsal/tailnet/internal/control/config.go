package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

// Config is the whole of tailnet.json. Unknown keys are refused.
type Config struct {
	// Dir is the directory for the pid file and the log (absolute path).
	Dir string `json:"dir"`
	// Address is the IPv4 address to listen on, for example "10.200.0.1".
	Address string `json:"address"`
	// Port of the control server, over plain HTTP. The relay has the next one, over TLS, and STUN that number over UDP.
	Port uint16 `json:"port"`
	// Domain is the tailnet's MagicDNS domain, for example "mesh.test".
	Domain string `json:"domain"`
	// AuthKey is the key that every node logs in with. A secret.
	AuthKey string `json:"authKey"`
	// Routes are the ranges that subnet routers may announce: what a real tailnet's policy lists in autoApprovers.
	Routes []netip.Prefix `json:"routes"`
	// Ports are those that nodes may reach of each other, over TCP.
	Ports []uint16 `json:"ports"`
	// Globals are names that lead to whichever of some nodes is up.
	Globals []Global `json:"globals,omitempty"`
}

// Global is a name of the tailnet that leads to one of several nodes.
type Global struct {
	// Name without the domain, for example "agentweave-global".
	Name string `json:"name"`
	// Nodes are names without the domain, in order of preference.
	Nodes []string `json:"nodes"`
}

// Load reads and checks a configuration file.
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
	if !filepath.IsAbs(c.Dir) {
		refuse("dir %q: want an absolute path", c.Dir)
	}
	if address, err := netip.ParseAddr(c.Address); err != nil || !address.Is4() {
		refuse("address %q: want an IPv4 address", c.Address)
	}
	if c.Port == 0 || c.Port == 65535 {
		refuse("port %d: want one that has a next one", c.Port)
	}
	if c.Domain == "" || c.AuthKey == "" || len(c.Ports) == 0 {
		refuse("domain, authKey and ports must not be empty")
	}
	return errors.Join(problems...)
}

func (c *Config) url() string { return fmt.Sprintf("http://%s:%d", c.Address, c.Port) }
