package control

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"time"
	"unsafe"

	"tailscale.com/tailcfg"
)

// limit is more than any request of a node has.
const limit = 1 << 20

// intercept puts this package's own handler in front of the test server's for what nodes ask inside their encrypted
// connections. The test server has no hook there, so its multiplexer is looked for where it keeps it; the version is pinned, and a
// test would notice.
func (s *Server) intercept() {
	// Its first request makes the test server's multiplexer.
	s.control.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/generate_204", nil))
	field := reflect.ValueOf(s.control).Elem().FieldByName("mux")
	mux := *(**http.ServeMux)(unsafe.Pointer(field.UnsafeAddr()))
	inner, _ := mux.Handler(httptest.NewRequest(http.MethodPost, "/machine/register", nil))
	mux.HandleFunc("POST /machine/register", func(w http.ResponseWriter, r *http.Request) { s.register(w, r, inner) })
	// For what it does not know, the test server would end the process.
	for _, path := range []string{"/machine/audit-log", "/machine/feature/query", "/machine/id-token", "/machine/set-device-attr"} {
		mux.HandleFunc(path, http.NotFound)
	}
}

// register lets a node in that has the auth key or was let in before, as Tailscale does, and lets one out that says it leaves. The test server's own
// check would ask for the key at each restart of a node, which then has none.
func (s *Server) register(w http.ResponseWriter, r *http.Request, inner http.Handler) {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit))
	var request tailcfg.RegisterRequest
	if err == nil {
		err = json.Unmarshal(body, &request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	hasKey := request.Auth != nil && request.Auth.AuthKey == s.config.AuthKey
	if !hasKey && s.control.Node(request.NodeKey) == nil && s.control.Node(request.OldNodeKey) == nil {
		_ = json.NewEncoder(w).Encode(tailcfg.RegisterResponse{Error: "invalid key: this tailnet has no such auth key"})
		return
	}
	if !request.Expiry.IsZero() && request.Expiry.Before(time.Now()) {
		s.nodes.forget(request.NodeKey)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	inner.ServeHTTP(w, r)
}
