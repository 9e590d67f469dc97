package test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// token of a service account that the API server takes.
const token = "service-account-token"

// apiServer answers GET with the objects it has, and keeps what is applied to it.
type apiServer struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[string]any
	// refusals is how many requests are still to fail.
	refusals int
	applied  chan applied
}

// applied is a server-side apply.
type applied struct {
	path, contentType string
	object            map[string]any
}

func newAPIServer(t *testing.T) *apiServer {
	a := &apiServer{objects: map[string]any{}, applied: make(chan applied, 8)}
	a.Server = httptest.NewTLSServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *apiServer) set(path string, object any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects[path] = object
}

func (a *apiServer) refuse(times int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refusals = times
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	object, found := a.objects[r.URL.Path]
	if r.Method == http.MethodPatch {
		object, found = map[string]any{}, true
	}
	fail := func(code int, message string) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "message": message, "code": code})
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		fail(http.StatusUnauthorized, "Unauthorized")
		return
	case a.refusals > 0:
		a.refusals--
		fail(http.StatusInternalServerError, "etcd is away")
		return
	case !found:
		fail(http.StatusNotFound, r.URL.Path+" not found")
		return
	}
	if r.Method == http.MethodPatch {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &object)
		}
		if err != nil {
			fail(http.StatusBadRequest, err.Error())
			return
		}
		a.applied <- applied{r.URL.Path, r.Header.Get("Content-Type"), object.(map[string]any)}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object)
}

// writeAccount puts a service account's token and the server's CA into a directory.
func (a *apiServer) writeAccount(t *testing.T, directory, namespace string) {
	write(t, filepath.Join(directory, "token"), token+"\n")
	write(t, filepath.Join(directory, "ca.crt"), pemOf(a.Certificate()))
	write(t, filepath.Join(directory, "namespace"), namespace)
}

func pemOf(certificate *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
