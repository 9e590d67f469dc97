package test

import (
	"os"
	"strings"
)

// configurations sends good and bad files to `validate`.
func (s *script) configurations() {
	bytes, err := os.ReadFile(s.a.path("server.conf"))
	if err != nil {
		s.t.Fatal(err)
	}
	good := string(bytes)
	validate := func(exit int, text, from, to string) {
		s.t.Helper()
		if !strings.Contains(good, from) {
			s.t.Fatalf("the configuration has no %q to change", from)
		}
		path := s.a.path("changed.conf")
		if err := os.WriteFile(path, []byte(strings.Replace(good, from, to, 1)), 0o600); err != nil {
			s.t.Fatal(err)
		}
		s.expect(exit, text, "", "validate", "-config", path)
	}
	validate(0, "SPIRE server configuration file is valid.", "", "")
	validate(1, "trust_domain must be configured", "trust_domain", "# trust_domain")
	validate(1, "could not parse trust_domain", `"a.example.org"`, `"A b"`)
	validate(1, "data_dir must be configured", "data_dir", "# data_dir")
	validate(1, "unknown configuration detected", "default_x509_svid_ttl", "default_svid_ttl")
	validate(1, "unknown configuration detected", "refresh_hint", "hint")
	validate(1, "could not parse default CA ttl", `ca_ttl = "24h"`, `ca_ttl = "a day"`)
	validate(1, "could not parse default X509 SVID ttl", `ttl = "1h"`, `ttl = "an hour"`)
	validate(1, "could not parse refresh_hint", `"5m"`, `"often"`)
	validate(1, "unknown bundle endpoint profile", "https_spiffe", "spiffe")
	validate(1, "unable to decode configuration", "server {", "server {{")
	validate(1, "plugins section must be configured", "plugins {", "other {")
	validate(1, "expected exactly 1 but got 0", `KeyManager "disk" {`, `KeyManager "disk" { enabled = false`)
	validate(1, "keys_path is required", "keys_path", "other_path")
	validate(1, "connection_string must be set", "connection_string", "other_string")
	s.expect(1, "could not find config file", "", "validate", "-config", s.a.path("missing.conf"))
}
