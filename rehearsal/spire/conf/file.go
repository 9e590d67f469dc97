// Package conf reads the server.conf of a SPIRE server: HCL, with the same keys, defaults and
// refusals as SPIRE 1.14 (doc/spire_server.md of the SPIRE project).
package conf

import (
	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/token"
)

type unused map[string][]token.Pos

// file is server.conf as it is written. Keys that SPIRE knows and the stand-in has no use for are
// declared all the same, so that only keys SPIRE does not know are refused.
type file struct {
	Server       *serverBlock   `hcl:"server"`
	Plugins      ast.Node       `hcl:"plugins"`
	Telemetry    telemetryBlock `hcl:"telemetry"`
	HealthChecks healthBlock    `hcl:"health_checks"`
	Unused       unused         `hcl:",unusedKeyPositions"`
}

type serverBlock struct {
	BindAddress        string           `hcl:"bind_address"`
	BindPort           int              `hcl:"bind_port"`
	SocketPath         string           `hcl:"socket_path"`
	TrustDomain        string           `hcl:"trust_domain"`
	DataDir            string           `hcl:"data_dir"`
	CATTL              string           `hcl:"ca_ttl"`
	CASubject          *subjectBlock    `hcl:"ca_subject"`
	CAKeyType          string           `hcl:"ca_key_type"`
	DefaultX509SVIDTTL string           `hcl:"default_x509_svid_ttl"`
	LogFile            string           `hcl:"log_file"`
	LogLevel           string           `hcl:"log_level"`
	LogFormat          string           `hcl:"log_format"`
	Federation         *federationBlock `hcl:"federation"`

	AdminIDs                     []string  `hcl:"admin_ids"`
	AgentTTL                     string    `hcl:"agent_ttl"`
	AuditLogEnabled              bool      `hcl:"audit_log_enabled"`
	DefaultJWTSVIDTTL            string    `hcl:"default_jwt_svid_ttl"`
	DisableJWTSVIDs              bool      `hcl:"disable_jwt_svids"`
	Experimental                 ast.Node  `hcl:"experimental"`
	JWTIssuer                    string    `hcl:"jwt_issuer"`
	JWTKeyType                   string    `hcl:"jwt_key_type"`
	LogSourceLocation            bool      `hcl:"log_source_location"`
	MaxAttestedNodeInfoStaleness *string   `hcl:"max_attested_node_info_staleness"`
	ProfilingEnabled             bool      `hcl:"profiling_enabled"`
	ProfilingFreq                int       `hcl:"profiling_freq"`
	ProfilingNames               []string  `hcl:"profiling_names"`
	ProfilingPort                int       `hcl:"profiling_port"`
	ProxyProtocolTrustedCIDRs    []string  `hcl:"proxy_protocol_trusted_cidrs"`
	PruneAttestedNodesBatchSize  int       `hcl:"prune_attested_nodes_batch_size"`
	PruneAttestedNodesExpiredFor string    `hcl:"prune_attested_nodes_expired_for"`
	PruneNonReattestableNodes    bool      `hcl:"prune_tofu_nodes"`
	RateLimit                    rateBlock `hcl:"ratelimit"`

	Unused unused `hcl:",unusedKeyPositions"`
}

type subjectBlock struct {
	Country      []string `hcl:"country"`
	Organization []string `hcl:"organization"`
	CommonName   string   `hcl:"common_name"`
	Unused       unused   `hcl:",unusedKeyPositions"`
}

type rateBlock struct {
	Attestation *bool  `hcl:"attestation"`
	Signing     *bool  `hcl:"signing"`
	Unused      unused `hcl:",unusedKeyPositions"`
}

type federationBlock struct {
	BundleEndpoint *endpointBlock `hcl:"bundle_endpoint"`
	FederatesWith  ast.Node       `hcl:"federates_with"`
}

type endpointBlock struct {
	Address     string   `hcl:"address"`
	Port        int      `hcl:"port"`
	RefreshHint string   `hcl:"refresh_hint"`
	ACME        ast.Node `hcl:"acme"`
	Profile     ast.Node `hcl:"profile"`
	Unused      unused   `hcl:",unusedKeyPositions"`
}

type telemetryBlock struct {
	Prometheus *prometheusBlock `hcl:"Prometheus"`
}

type prometheusBlock struct {
	Host   string   `hcl:"host"`
	Port   int      `hcl:"port"`
	TLS    ast.Node `hcl:"tls"`
	Unused unused   `hcl:",unusedKeyPositions"`
}

type healthBlock struct {
	ListenerEnabled bool   `hcl:"listener_enabled"`
	BindAddress     string `hcl:"bind_address"`
	BindPort        string `hcl:"bind_port"`
	ReadyPath       string `hcl:"ready_path"`
	LivePath        string `hcl:"live_path"`
	Unused          unused `hcl:",unusedKeyPositions"`
}

// unknown names the keys SPIRE does not know, by section as SPIRE names it in its log.
func (f *file) unknown() map[string]unused {
	all := map[string]unused{
		"top-level":    f.Unused,
		"server":       f.Server.Unused,
		"ratelimit":    f.Server.RateLimit.Unused,
		"health check": f.HealthChecks.Unused,
	}
	if s := f.Server.CASubject; s != nil {
		all["ca_subject"] = s.Unused
	}
	if fed := f.Server.Federation; fed != nil && fed.BundleEndpoint != nil {
		all["bundle endpoint"] = fed.BundleEndpoint.Unused
	}
	if p := f.Telemetry.Prometheus; p != nil {
		all["Prometheus"] = p.Unused
	}
	for section, keys := range all {
		if len(keys) == 0 {
			delete(all, section)
		}
	}
	return all
}
