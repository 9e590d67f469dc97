package federation

import (
	"net/http"
	"time"

	"agentweave-mesh/rehearsal/spire/store"
)

// Endpoint answers GET / with the bundle of a trust domain in SPIFFE's JSON form. As in SPIRE, the
// refresh hint is always that of the configuration.
func Endpoint(data *store.Store, trustDomain string, refreshHint time.Duration) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		bundle, err := FromProto(data.Read().Bundles[trustDomain])
		var document []byte
		if err == nil {
			bundle.SetRefreshHint(refreshHint)
			document, err = bundle.Marshal()
		}
		if err != nil {
			http.Error(w, "500 unable to marshal local bundle", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document) // a client that has gone away is no concern of the server
	})
	return mux
}
