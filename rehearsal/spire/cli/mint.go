package cli

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"google.golang.org/grpc"
)

func mint(set *flag.FlagSet) action {
	text := set.String("spiffeID", "", "SPIFFE ID of the X509-SVID")
	ttl := set.Duration("ttl", 0, "TTL of the X509-SVID")
	directory := set.String("write", "", "Directory to write output to instead of stdout")
	var dnsNames []string
	set.Func("dns", "DNS name that will be included in SVID. Can be used more than once.", appendTo(&dnsNames))
	out := outputFlag(set)
	return func(ctx context.Context, c grpc.ClientConnInterface, env Env) error {
		if *text == "" {
			return errors.New("spiffeID must be specified")
		}
		id, err := spiffeid.FromString(*text)
		if err != nil {
			return err
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return fmt.Errorf("unable to generate key: %w", err)
		}
		csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{URIs: []*url.URL{id.URL()}, DNSNames: dnsNames}, key)
		if err != nil {
			return fmt.Errorf("unable to generate CSR: %w", err)
		}
		seconds := int32((*ttl + time.Second - 1) / time.Second)
		answer, err := svidv1.NewSVIDClient(c).MintX509SVID(ctx, &svidv1.MintX509SVIDRequest{Csr: csr, Ttl: seconds})
		if err != nil {
			return fmt.Errorf("unable to mint SVID: %w", err)
		}
		bundle, err := bundlev1.NewBundleClient(c).GetBundle(ctx, &bundlev1.GetBundleRequest{})
		if err != nil {
			return fmt.Errorf("unable to get bundle: %w", err)
		}
		minted := svid{Chain: answer.Svid.CertChain}
		for _, authority := range bundle.X509Authorities {
			minted.Roots = append(minted.Roots, authority.Asn1)
		}
		if minted.Key, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
			return err
		}
		if end := time.Unix(answer.Svid.ExpiresAt, 0); time.Until(end) < *ttl {
			fmt.Fprintf(env.Err, "X509-SVID lifetime was capped shorter than specified ttl; expires %q\n", end.UTC().Format(time.RFC3339))
		}
		return minted.write(env, *directory, out.json)
	}
}

type svid struct {
	Chain [][]byte `json:"x509_svid"`
	Key   []byte   `json:"private_key"`
	Roots [][]byte `json:"root_cas"`
}

func (s svid) write(env Env, directory string, asJSON bool) error {
	if directory == "" && asJSON {
		return json.NewEncoder(env.Out).Encode(s)
	}
	for _, part := range []struct {
		title, file, kind string
		blocks            [][]byte
		mode              os.FileMode
	}{
		{"X509-SVID", "svid.pem", "CERTIFICATE", s.Chain, 0o644},
		{"Private key", "key.pem", "PRIVATE KEY", [][]byte{s.Key}, 0o600},
		{"Root CAs", "bundle.pem", "CERTIFICATE", s.Roots, 0o644},
	} {
		var text bytes.Buffer
		for _, block := range part.blocks {
			if err := pem.Encode(&text, &pem.Block{Type: part.kind, Bytes: block}); err != nil {
				return err
			}
		}
		if directory == "" {
			fmt.Fprintf(env.Out, "%s:\n%s\n", part.title, text.String())
			continue
		}
		path := filepath.Join(directory, part.file)
		if err := os.WriteFile(path, text.Bytes(), part.mode); err != nil {
			return fmt.Errorf("unable to write %s: %w", part.title, err)
		}
		fmt.Fprintf(env.Out, "%s written to %s\n", part.title, path)
	}
	return nil
}
