package conf

import (
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
	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Config is a checked server.conf.
type Config struct {
	// BindAddress is the host:port of the server API over TLS; 0.0.0.0:8081 unless set.
	BindAddress string
	// SocketPath is the unix socket of the server API for operators.
	SocketPath  string
	TrustDomain spiffeid.TrustDomain
	DataDir     string
	// DatabasePath is the file of the sqlite database whose place the state file takes.
	DatabasePath string
	// KeysPath is the file of private keys (KeyManager "disk"); empty keeps keys in memory alone.
	KeysPath string
	// CATTL is the lifetime of a CA; 24 h unless set.
	CATTL time.Duration
	// X509SVIDTTL is the lifetime of an SVID whose entry names none; 1 h unless set.
	X509SVIDTTL time.Duration
	CASubject   Subject
	// LogLevel is debug, info, warn or error in either case; LogFormat text or json; LogFile empty for standard error.
	LogLevel, LogFormat, LogFile string
	// Endpoint is nil where the server has no bundle endpoint.
	Endpoint *Endpoint
	// HealthAddress is host:port of plain HTTP health checks; empty for none.
	HealthAddress, LivePath, ReadyPath string
	// MetricsAddress is host:port of Prometheus metrics over plain HTTP; empty for none.
	MetricsAddress string
	// IgnoredPlugins are configured plugins that do nothing here, as "Type name".
	IgnoredPlugins []string
	// Warnings are what SPIRE would log about this configuration.
	Warnings []string
}

// Subject of the CA's certificate; C=US, O=SPIFFE unless set.
type Subject struct {
	Country, Organization []string
	CommonName            string
}

// Endpoint is the bundle endpoint (profile https_spiffe).
type Endpoint struct {
	Address     string
	RefreshHint time.Duration
}

// DefaultSocketPath is where server and command line meet when neither says otherwise.
const DefaultSocketPath = "/tmp/spire-server/private/api.sock"

// MinimumRefreshHint is the shortest refresh hint a SPIRE server heeds (pkg/common/bundleutil of SPIRE).
const MinimumRefreshHint = time.Minute

// Load reads and checks a server.conf.
func Load(path string, flags Overrides) (*Config, error) {
	if path == "" {
		path = "conf/server/server.conf"
	}
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute
		}
		return nil, fmt.Errorf("could not find config file %s: please use the -config flag", path)
	}
	if err != nil {
		return nil, fmt.Errorf("unable to read configuration at %q: %w", path, err)
	}
	if flags.ExpandEnv {
		text = []byte(os.ExpandEnv(string(text)))
	}
	parsed := &file{}
	if err := hcl.Decode(parsed, string(text)); err != nil {
		return nil, fmt.Errorf("unable to decode configuration at %q: %w", path, err)
	}
	if parsed.Server == nil {
		parsed.Server = &serverBlock{}
	}
	parsed.Server.merge(flags)
	return parsed.check()
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
		BindAddress: net.JoinHostPort(strings.Trim(s.BindAddress, "[]"), strconv.Itoa(s.BindPort)),
		SocketPath:  s.SocketPath,
		DataDir:     s.DataDir,
		LogLevel:    strings.ToLower(s.LogLevel),
		LogFormat:   strings.ToLower(s.LogFormat),
		LogFile:     s.LogFile,
		CASubject:   Subject{Country: []string{"US"}, Organization: []string{"SPIFFE"}},
	}
	var err error
	if c.TrustDomain, err = spiffeid.TrustDomainFromString(s.TrustDomain); err != nil {
		return nil, fmt.Errorf("could not parse trust_domain %q: %w", s.TrustDomain, err)
	}
	if err := f.checkFederation(c); err != nil {
		return nil, err
	}
	if c.X509SVIDTTL, err = time.ParseDuration(s.DefaultX509SVIDTTL); err != nil {
		return nil, fmt.Errorf("could not parse default X509 SVID ttl %q: %w", s.DefaultX509SVIDTTL, err)
	}
	if c.CATTL, err = time.ParseDuration(s.CATTL); err != nil {
		return nil, fmt.Errorf("could not parse default CA ttl %q: %w", s.CATTL, err)
	}
	// Its SVIDs are cut short where a CA may be in use for less than their lifetime.
	if limit := min(c.CATTL/6, 7*24*time.Hour); c.X509SVIDTTL > limit {
		c.Warnings = append(c.Warnings, fmt.Sprintf("default_x509_svid_ttl is too high for the configured ca_ttl value. SVIDs with shorter lifetimes may be issued. Please set default_x509_svid_ttl to %v or less.", limit))
	}
	if s.CAKeyType != "" && s.CAKeyType != "ec-p256" {
		c.Warnings = append(c.Warnings, fmt.Sprintf("the stand-in's keys are always ec-p256; ca_key_type %q has no effect", s.CAKeyType))
	}
	if subject := s.CASubject; subject != nil {
		c.CASubject = Subject{Country: subject.Country, Organization: subject.Organization, CommonName: subject.CommonName}
	}
	if err := c.readPlugins(f.Plugins); err != nil {
		return nil, err
	}
	f.setListeners(c)
	if unknown := f.unknown(); len(unknown) > 0 {
		return nil, unknownError(unknown)
	}
	return c, nil
}

func (f *file) checkFederation(c *Config) error {
	fed := f.Server.Federation
	if fed == nil {
		return nil
	}
	if fed.FederatesWith != nil {
		return errors.New("the stand-in takes federation relationships through its API alone, not from federates_with in the file")
	}
	endpoint := fed.BundleEndpoint
	if endpoint == nil {
		return nil
	}
	if endpoint.RefreshHint == "" {
		endpoint.RefreshHint = "5m"
	}
	hint, err := time.ParseDuration(endpoint.RefreshHint)
	if err != nil {
		return fmt.Errorf("could not parse refresh_hint %q: %w", endpoint.RefreshHint, err)
	}
	if hint < MinimumRefreshHint {
		c.Warnings = append(c.Warnings, "Bundle endpoint refresh hint set too low. SPIRE will not refresh more often than 1 minute")
	}
	if endpoint.Profile == nil {
		c.Warnings = append(c.Warnings, "Bundle endpoint is configured but has no profile set, using https_spiffe as default; please configure a profile explicitly. This will be fatal in a future release.")
	} else if err := checkProfile(endpoint.Profile); err != nil {
		return err
	}
	if endpoint.ACME != nil {
		return errors.New("the stand-in's bundle endpoint has the profile https_spiffe alone, not acme")
	}
	c.Endpoint = &Endpoint{Address: net.JoinHostPort(endpoint.Address, strconv.Itoa(endpoint.Port)), RefreshHint: hint}
	return nil
}

func checkProfile(node ast.Node) error {
	list, ok := node.(*ast.ObjectList)
	if !ok {
		return errors.New("malformed configuration")
	}
	if len(list.Items) != 1 {
		return errors.New("exactly one bundle endpoint profile is expected")
	}
	switch name, _ := list.Items[0].Keys[0].Token.Value().(string); name {
	case "https_spiffe":
		return nil
	case "https_web":
		return errors.New("the stand-in's bundle endpoint has the profile https_spiffe alone, not https_web")
	default:
		return errors.New("unknown bundle endpoint profile configured; current supported profiles are \"https_spiffe\" and 'https_web\"")
	}
}

func (f *file) setListeners(c *Config) {
	orElse := func(value, otherwise string) string {
		if value == "" {
			return otherwise
		}
		return value
	}
	if h := f.HealthChecks; h.ListenerEnabled {
		c.HealthAddress = net.JoinHostPort(strings.Trim(orElse(h.BindAddress, "localhost"), "[]"), orElse(h.BindPort, "80"))
		c.LivePath, c.ReadyPath = orElse(h.LivePath, "/live"), orElse(h.ReadyPath, "/ready")
	}
	if p := f.Telemetry.Prometheus; p != nil {
		c.MetricsAddress = net.JoinHostPort(strings.Trim(orElse(p.Host, "localhost"), "[]"), strconv.Itoa(p.Port))
	}
}

// UnknownKeys refuses a file with keys that SPIRE does not know.
type UnknownKeys struct {
	// Detail names each section and its unknown keys.
	Detail string
}

func (*UnknownKeys) Error() string { return "unknown configuration detected" }

func unknownError(sections map[string]unused) error {
	var lines []string
	for _, section := range slices.Sorted(maps.Keys(sections)) {
		keys := slices.Sorted(maps.Keys(sections[section]))
		lines = append(lines, fmt.Sprintf("%s: %s", section, strings.Join(keys, ",")))
	}
	return &UnknownKeys{strings.Join(lines, "; ")}
}
