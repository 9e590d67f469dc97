// Serves a constant by HTTPS to whoever has an identity of its own trust domain: spiffe-server <address> <SVID> <key> <bundle> <answer>, the last four files.
package main

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

func serve(address, certificates, key, roots, answer string) error {
	svid, err := x509svid.Load(certificates, key)
	if err != nil {
		return err
	}
	domain := svid.ID.TrustDomain()
	bundle, err := x509bundle.Load(domain, roots)
	if err != nil {
		return err
	}
	body, err := os.ReadFile(answer)
	if err != nil {
		return err
	}
	config := tlsconfig.MTLSServerConfig(svid, bundle, tlsconfig.AuthorizeMemberOf(domain))
	config.MinVersion = tls.VersionTLS13
	server := http.Server{
		Addr:      address,
		TLSConfig: config,
		Handler: http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
			_, _ = io.Copy(io.Discard, request.Body)
			response.Header().Set("content-type", "application/json")
			_, _ = response.Write(body)
		}),
	}
	return server.ListenAndServeTLS("", "")
}

func main() {
	if len(os.Args) != 6 {
		log.Fatal("usage: spiffe-server <address> <SVID> <key> <bundle> <answer>")
	}
	log.Fatal(serve(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]))
}
