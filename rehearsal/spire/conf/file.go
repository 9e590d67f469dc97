// Package conf reads the server.conf of a SPIRE server: HCL, with the same keys, defaults and
// refusals as SPIRE 1.14 (doc/spire_server.md of the SPIRE project).
package conf

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/token"
)

type unused map[string][]token.Pos

// file is server.conf as it is written.
type file struct {
	Server       serverBlock                       `hcl:"server"`
	Plugins      map[string]map[string]pluginBlock `hcl:"plugins"`
	Telemetry    telemetryBlock                    `hcl:"telemetry"`
	HealthChecks healthBlock                       `hcl:"health_checks"`
	Unused       unused                            `hcl:",unusedKeyPositions"`
}

type serverBlock struct {
	BindAddress        string       `hcl:"bind_address"`
	BindPort           int          `hcl:"bind_port"`
	SocketPath         string       `hcl:"socket_path"`
	TrustDomain        string       `hcl:"trust_domain"`
	DataDir            string       `hcl:"data_dir"`
	CATTL              string       `hcl:"ca_ttl"`
	CASubject          subjectBlock `hcl:"ca_subject"`
	DefaultX509SVIDTTL string       `hcl:"default_x509_svid_ttl"`
	LogLevel           string       `hcl:"log_level"`
	LogFormat          string       `hcl:"log_format"`
	Federation         struct {
		BundleEndpoint *endpointBlock `hcl:"bundle_endpoint"`
		FederatesWith  ast.Node       `hcl:"federates_with"`
	} `hcl:"federation"`
	Unused unused `hcl:",unusedKeyPositions"`
}

// withoutEffect are keys of the server block that SPIRE knows and the stand-in has no use for.
var withoutEffect = strings.Fields(`admin_ids agent_ttl audit_log_enabled ca_key_type default_jwt_svid_ttl disable_jwt_svids
	experimental jwt_issuer jwt_key_type log_file log_source_location max_attested_node_info_staleness profiling_enabled
	profiling_freq profiling_names profiling_port proxy_protocol_trusted_cidrs prune_attested_nodes_batch_size
	prune_attested_nodes_expired_for prune_tofu_nodes ratelimit`)

type subjectBlock struct {
	Country      []string `hcl:"country"`
	Organization []string `hcl:"organization"`
	CommonName   string   `hcl:"common_name"`
	Unused       unused   `hcl:",unusedKeyPositions"`
}

type endpointBlock struct {
	Address     string         `hcl:"address"`
	Port        int            `hcl:"port"`
	RefreshHint string         `hcl:"refresh_hint"`
	ACME        ast.Node       `hcl:"acme"`
	Profile     map[string]any `hcl:"profile"`
	Unused      unused         `hcl:",unusedKeyPositions"`
}

// pluginBlock has the keys of those plugins that the stand-ins have a use for.
type pluginBlock struct {
	Data struct {
		DatabaseType     string   `hcl:"database_type"`
		ConnectionString string   `hcl:"connection_string"`
		KeysPath         string   `hcl:"keys_path"`
		Clusters         ast.Node `hcl:"clusters"`
		Cluster          string   `hcl:"cluster"`
	} `hcl:"plugin_data"`
	Enabled *bool `hcl:"enabled"`
}

func (p pluginBlock) disabled() bool { return p.Enabled != nil && !*p.Enabled }

type telemetryBlock struct {
	Prometheus *struct {
		Host string `hcl:"host"`
		Port int    `hcl:"port"`
	} `hcl:"Prometheus"`
}

type healthBlock struct {
	ListenerEnabled bool   `hcl:"listener_enabled"`
	BindAddress     string `hcl:"bind_address"`
	BindPort        string `hcl:"bind_port"`
	ReadyPath       string `hcl:"ready_path"`
	LivePath        string `hcl:"live_path"`
	Unused          unused `hcl:",unusedKeyPositions"`
}

// UnknownKeys refuses a file with keys that SPIRE does not know. Its text is SPIRE's, which names them only in its log.
type UnknownKeys []string

func (UnknownKeys) Error() string { return "unknown configuration detected" }

func (f *file) checkKeys() error {
	s := f.Server
	sections := []unused{f.Unused, s.Unused, s.CASubject.Unused, f.HealthChecks.Unused}
	if endpoint := s.Federation.BundleEndpoint; endpoint != nil {
		sections = append(sections, endpoint.Unused)
	}
	var unknown UnknownKeys
	for _, section := range sections {
		unknown = slices.AppendSeq(unknown, maps.Keys(section))
	}
	unknown = slices.DeleteFunc(unknown, func(key string) bool { return slices.Contains(withoutEffect, key) })
	if len(unknown) > 0 {
		return unknown
	}
	return nil
}

// PluginError refuses the configuration of one plugin, or of the plugins of one type.
type PluginError struct{ Plugin, Note string }

func (e *PluginError) Error() string { return e.Plugin + ": " + e.Note }

// checkPlugins finds where SPIRE would keep its database, so that losing that file has the same
// effect here, and notes every plugin that is configured and does nothing here.
func (c *Config) checkPlugins(plugins map[string]map[string]pluginBlock) error {
	count := map[string]int{}
	for kind, named := range plugins {
		for name, plugin := range named {
			if plugin.disabled() {
				continue
			}
			count[kind]++
			switch kind + " " + name {
			case "DataStore sql":
				if kind := plugin.Data.DatabaseType; kind != "sqlite3" {
					return fmt.Errorf("the stand-in keeps its data in a file: database_type must be \"sqlite3\", not %q", kind)
				}
				if c.DatabasePath = plugin.Data.ConnectionString; c.DatabasePath == "" {
					return &PluginError{`DataStore "sql"`, "datastore-sql: connection_string must be set"}
				}
			case "KeyManager disk":
				if plugin.Data.KeysPath == "" {
					return &PluginError{`KeyManager "disk"`, "keys_path is required"}
				}
			case "BundlePublisher k8s_configmap":
				if err := c.checkPublications(plugin.Data.Clusters); err != nil {
					return err
				}
			default:
				// These two decide which CA signs and whether it survives a restart.
				if kind == "UpstreamAuthority" || kind == "KeyManager" {
					return fmt.Errorf("the stand-in has no %s %q; run the real spire-server for this configuration", kind, name)
				}
				c.IgnoredPlugins = append(c.IgnoredPlugins, kind+" "+name)
			}
		}
	}
	slices.Sort(c.IgnoredPlugins)
	for _, kind := range []string{"DataStore", "KeyManager"} {
		if count[kind] != 1 {
			return &PluginError{kind, fmt.Sprintf("constraint not satisfied: expected exactly 1 but got %d", count[kind])}
		}
	}
	return nil
}
