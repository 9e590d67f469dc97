package server

import (
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// metrics answers with a few of SPIRE's metrics under SPIRE's names (doc/telemetry), in Prometheus' text format.
func (s *services) metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		td := label(s.config.TrustDomain.Name())
		fmt.Fprintf(w, "# TYPE spire_server_uptime_in_ms gauge\nspire_server_uptime_in_ms %d\n", time.Since(s.started).Milliseconds())
		left := 0.0
		if ca, err := x509.ParseCertificate(s.authorities.State().Current.Certificate); err == nil {
			left = time.Until(ca.NotAfter).Seconds()
		}
		fmt.Fprintf(w, "# TYPE spire_server_manager_x509_ca_rotate_ttl gauge\nspire_server_manager_x509_ca_rotate_ttl{trust_domain_id=%q} %.0f\n", td, left)
		counts := s.poller.Counts()
		fmt.Fprintln(w, "# TYPE spire_server_bundle_manager_fetch_federated_bundle counter")
		for _, peer := range slices.Sorted(maps.Keys(counts)) {
			for status, n := range map[string]int{"OK": counts[peer].OK, "Unknown": counts[peer].Failed} {
				if n > 0 {
					fmt.Fprintf(w, "spire_server_bundle_manager_fetch_federated_bundle{status=%q,trust_domain_id=%q} %d\n", status, label(peer), n)
				}
			}
		}
		fmt.Fprintln(w, "# TYPE spire_server_bundle_manager_update_federated_bundle counter")
		for _, peer := range slices.Sorted(maps.Keys(counts)) {
			if n := counts[peer].Updated; n > 0 {
				fmt.Fprintf(w, "spire_server_bundle_manager_update_federated_bundle{trust_domain_id=%q} %d\n", label(peer), n)
			}
		}
	})
}

// label is how SPIRE writes a label's value: dots would separate parts of a name.
func label(value string) string { return strings.ReplaceAll(value, ".", "_") }
