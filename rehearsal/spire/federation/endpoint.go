package federation

import (
	"log/slog"
	"net/http"
	"time"

	"agentweave-mesh/rehearsal/spire/store"
)

// Endpoint answers GET / with the bundle of a trust domain in SPIFFE's JSON form. As in SPIRE, the
// refresh hint is always that of the configuration.
func Endpoint(data *store.Store, trustDomain string, refreshHint time.Duration, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		document, err := marshal(data.Read(), trustDomain, refreshHint)
		if err != nil {
			log.Error("Unable to marshal local bundle", "error", err)
			http.Error(w, "500 unable to marshal local bundle", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document) // a client that has gone away is no concern of the server
	})
}

func marshal(state *store.State, trustDomain string, refreshHint time.Duration) ([]byte, error) {
	bundle, err := FromProto(state.Bundle(trustDomain))
	if err != nil {
		return nil, err
	}
	bundle.SetRefreshHint(refreshHint)
	return bundle.Marshal()
}
