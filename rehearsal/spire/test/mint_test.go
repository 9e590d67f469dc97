package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func (s *script) minting() {
	mint := func(id string, more ...string) []string {
		return append([]string{"x509", "mint", "-spiffeID", id}, more...)
	}
	operator := s.a.id() + "/operator/mesh"
	s.expect(1, "spiffeID must be specified", "", "x509", "mint")
	s.expect(1, "scheme is missing or invalid", "", mint("operator")...)
	s.expect(1, "is not a member of trust domain", "", mint(s.b.id()+"/operator")...)
	s.expect(1, "path is empty", "", mint(s.a.id())...)
	s.expect(1, "reserved namespace", "", mint(s.a.id()+"/spire/agent/x")...)
	s.expect(0, "-----BEGIN PRIVATE KEY-----", "", mint(operator, "-ttl", "5m", "-dns", "a.example.org", "-dns", "b.example.org")...)
	s.expect(0, `"x509_svid":["`, "", mint(operator, "-output", "json")...)
	s.expect(0, "Root CAs written to "+s.a.path("bundle.pem"), "", mint(operator, "-write", s.a.directory, "-output", "json")...)
	s.expect(1, "unable to write", "", mint(operator, "-write", s.a.path("missing"))...)
}

func TestAMintedSVIDHasTheIdNamesAndLifeThatWereAskedFor(t *testing.T) {
	c := started(t, "a.example.org")
	id := spiffeid.RequireFromString(c.id() + "/operator/mesh")
	var minted struct {
		SVID [][]byte `json:"x509_svid"`
		Key  []byte   `json:"private_key"`
		CAs  [][]byte `json:"root_cas"`
	}
	mint := func(ttl string) *x509svid.SVID {
		t.Helper()
		output := c.must("", "x509", "mint", "-spiffeID", id.String(), "-ttl", ttl, "-dns", "mesh.example.org", "-output", "json")
		if err := json.Unmarshal([]byte(output), &minted); err != nil {
			t.Fatal(err)
		}
		svid, err := x509svid.ParseRaw(minted.SVID[0], minted.Key)
		if err != nil {
			t.Fatal(err)
		}
		return svid
	}
	svid := mint("5m")
	leaf := svid.Certificates[0]
	if left := time.Until(leaf.NotAfter); left > 5*time.Minute || left < 4*time.Minute {
		t.Errorf("it has %v left", left)
	}
	if strings.Join(leaf.DNSNames, ",") != "mesh.example.org" || leaf.Subject.CommonName != "mesh.example.org" {
		t.Errorf("names %v of %v", leaf.DNSNames, leaf.Subject)
	}
	ca, err := x509.ParseCertificate(minted.CAs[0])
	if err != nil {
		t.Fatal(err)
	}
	bundle := x509bundle.FromX509Authorities(id.TrustDomain(), []*x509.Certificate{ca})
	if got, _, err := x509svid.Verify(svid.Certificates, bundle); err != nil || got != id {
		t.Errorf("%v, %v", got, err)
	}
	if capped := mint("48h"); !capped.Certificates[0].NotAfter.Equal(ca.NotAfter) {
		t.Errorf("an SVID until %v of a CA until %v", capped.Certificates[0].NotAfter, ca.NotAfter)
	}
	c.must("", "x509", "mint", "-spiffeID", id.String(), "-write", c.directory)
	if _, err := x509svid.Load(c.path("svid.pem"), c.path("key.pem")); err != nil {
		t.Error(err)
	}
	if mode := must(os.Stat(filepath.Join(c.directory, "key.pem"))).Mode(); mode.Perm() != 0o600 {
		t.Errorf("the key has mode %v", mode)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestACSRThatSPIRERefusesIsRefusedInItsWords(t *testing.T) {
	onEveryServer(t, func(t *testing.T, binary string) {
		c := newCloud(t, binary, "a.example.org")
		c.start()
		conn := must(grpc.NewClient("unix:"+c.path("api.sock"), grpc.WithTransportCredentials(insecure.NewCredentials())))
		defer conn.Close()
		key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		csr := func(ids ...string) []byte {
			template := &x509.CertificateRequest{}
			for _, id := range ids {
				template.URIs = append(template.URIs, must(url.Parse(id)))
			}
			return must(x509.CreateCertificateRequest(rand.Reader, template, key))
		}
		forged := csr("spiffe://a.example.org/x")
		forged[len(forged)-1] ^= 1
		for want, request := range map[string][]byte{
			"missing CSR":                           nil,
			"malformed CSR":                         []byte("text"),
			"failed to verify CSR signature":        forged,
			"CSR URI SAN is required":               csr(),
			"only one URI SAN is expected":          csr("spiffe://a.example.org/x", "spiffe://a.example.org/y"),
			"CSR URI SAN is invalid: scheme":        csr("https://a.example.org/x"),
			"is not a member of trust domain":       csr("spiffe://b.example.org/x"),
			"path is in the reserved namespace":     csr("spiffe://a.example.org/spire/server"),
			"CSR URI SAN is invalid: trust domain ": csr("spiffe:///x"),
		} {
			_, err := svidv1.NewSVIDClient(conn).MintX509SVID(t.Context(), &svidv1.MintX509SVIDRequest{Csr: request})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "InvalidArgument") {
				t.Errorf("want %q, got %v", want, err)
			}
		}
	})
}
