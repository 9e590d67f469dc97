package conf

import (
	"cmp"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Config is a checked server.conf. Addresses are host:port.
type Config struct {
	TrustDomain spiffeid.TrustDomain
	// BindAddress is that of the server API over TLS, SocketPath the unix socket of the same API for operators.
	BindAddress, SocketPath string
	DataDir                 string
	// DatabasePath is the file of the sqlite database whose place the state file takes.
	DatabasePath string
	CATTL        time.Duration
	// X509SVIDTTL is the lifetime of an SVID whose entry names none.
	X509SVIDTTL time.Duration
	CASubject   pkix.Name
	Log
	// EndpointAddress is that of the bundle endpoint; empty for none.
	EndpointAddress string
	RefreshHint     time.Duration
	Observability
	// Publications are the ConfigMaps to which the server's own bundle goes.
	Publications []Publication
	// IgnoredPlugins are configured plugins that do nothing here, as "Type name".
	IgnoredPlugins []string
	// Warnings are what SPIRE would log about this configuration.
	Warnings []string
}

// DefaultSocketPath is where server and command line meet when neither says otherwise.
const DefaultSocketPath = "/tmp/spire-server/private/api.sock"

// MinimumRefreshHint is the shortest refresh hint a SPIRE server heeds (pkg/common/bundleutil of SPIRE).
const MinimumRefreshHint = time.Minute

// Load reads and checks a server.conf.
func Load(path string) (*Config, error) {
	f := &file{Server: serverBlock{
		BindAddress: "0.0.0.0", BindPort: 8081, SocketPath: DefaultSocketPath, CATTL: "24h", DefaultX509SVIDTTL: "1h",
		LogLevel: "INFO", LogFormat: "text",
	}}
	if err := decode(path, f); err != nil {
		return nil, err
	}
	return f.check()
}

func decode(path string, into any) error {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute
		}
		return fmt.Errorf("could not find config file %s: please use the -config flag", path)
	}
	if err != nil {
		return fmt.Errorf("unable to read configuration at %q: %w", path, err)
	}
	if err := hcl.Decode(into, string(text)); err != nil {
		return fmt.Errorf("unable to decode configuration at %q: %w", path, err)
	}
	return nil
}

func (f *file) check() (*Config, error) {
	s := f.Server
	switch {
	case s.TrustDomain == "":
		return nil, errors.New("trust_domain must be configured")
	case s.DataDir == "":
		return nil, errors.New("data_dir must be configured")
	case f.Plugins == nil:
		return nil, errors.New("plugins section must be configured")
	}
	c := &Config{
		BindAddress: address(s.BindAddress, strconv.Itoa(s.BindPort)), SocketPath: s.SocketPath, DataDir: s.DataDir,
		Log:       Log{s.LogLevel, s.LogFormat},
		CASubject: pkix.Name{Country: s.CASubject.Country, Organization: s.CASubject.Organization, CommonName: s.CASubject.CommonName},
	}
	if c.CASubject.String() == "" {
		c.CASubject = pkix.Name{Country: []string{"US"}, Organization: []string{"SPIFFE"}}
	}
	var err error
	if c.TrustDomain, err = spiffeid.TrustDomainFromString(s.TrustDomain); err != nil {
		return nil, fmt.Errorf("could not parse trust_domain %q: %w", s.TrustDomain, err)
	}
	if err := f.checkEndpoint(c); err != nil {
		return nil, err
	}
	if c.X509SVIDTTL, err = time.ParseDuration(s.DefaultX509SVIDTTL); err != nil {
		return nil, fmt.Errorf("could not parse default X509 SVID ttl %q: %w", s.DefaultX509SVIDTTL, err)
	}
	if c.CATTL, err = time.ParseDuration(s.CATTL); err != nil {
		return nil, fmt.Errorf("could not parse default CA ttl %q: %w", s.CATTL, err)
	}
	// SVIDs are cut short where a CA may be in use for less than their lifetime.
	if limit := min(c.CATTL/6, 7*24*time.Hour); c.X509SVIDTTL > limit {
		c.Warnings = append(c.Warnings, fmt.Sprintf("default_x509_svid_ttl is too high for the configured ca_ttl value. SVIDs with shorter lifetimes may be issued. Please set default_x509_svid_ttl to %v or less.", limit))
	}
	if err := c.checkPlugins(f.Plugins); err != nil {
		return nil, err
	}
	c.Observability = observability(f.HealthChecks, f.Telemetry)
	return c, f.checkKeys()
}

func address(host, port string) string {
	return net.JoinHostPort(strings.Trim(cmp.Or(host, "localhost"), "[]"), port)
}

func (f *file) checkEndpoint(c *Config) error {
	if f.Server.Federation.FederatesWith != nil {
		return errors.New("the stand-in takes federation relationships through its API alone, not from federates_with in the file")
	}
	endpoint := f.Server.Federation.BundleEndpoint
	if endpoint == nil {
		return nil
	}
	hint := cmp.Or(endpoint.RefreshHint, "5m")
	var err error
	if c.RefreshHint, err = time.ParseDuration(hint); err != nil {
		return fmt.Errorf("could not parse refresh_hint %q: %w", hint, err)
	}
	if c.RefreshHint < MinimumRefreshHint {
		c.Warnings = append(c.Warnings, "Bundle endpoint refresh hint set too low. SPIRE will not refresh more often than 1 minute")
	}
	c.EndpointAddress = net.JoinHostPort(endpoint.Address, strconv.Itoa(endpoint.Port))
	profiles := slices.Collect(maps.Keys(endpoint.Profile))
	switch {
	case endpoint.ACME != nil || slices.Contains(profiles, "https_web"):
		return errors.New("the stand-in's bundle endpoint has the profile https_spiffe alone, not https_web or acme")
	case len(profiles) == 0:
		c.Warnings = append(c.Warnings, "Bundle endpoint is configured but has no profile set, using https_spiffe as default; please configure a profile explicitly. This will be fatal in a future release.")
	case len(profiles) > 1:
		return errors.New("exactly one bundle endpoint profile is expected")
	case profiles[0] != "https_spiffe":
		return errors.New("unknown bundle endpoint profile configured; current supported profiles are \"https_spiffe\" and 'https_web\"")
	}
	return nil
}
