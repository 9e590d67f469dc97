package server

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// metrics answers with two of SPIRE's metrics under SPIRE's names (doc/telemetry), in Prometheus' text format.
func (s *services) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintf(w, "# TYPE spire_server_uptime_in_ms gauge\nspire_server_uptime_in_ms %d\n", time.Since(s.started).Milliseconds())
	// SPIRE writes a dot in a label's value as an underscore.
	td, left := strings.ReplaceAll(s.config.TrustDomain.Name(), ".", "_"), time.Until(s.data.Read().X509.Current.NotAfter)
	fmt.Fprintf(w, "# TYPE spire_server_manager_x509_ca_rotate_ttl gauge\nspire_server_manager_x509_ca_rotate_ttl{trust_domain_id=%q} %.0f\n", td, left.Seconds())
}
