package cli

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"agentweave-mesh/rehearsal/spire/federation"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

func bundleShow(c *call) (answer, error) {
	return c.bundle(bundlev1.NewBundleClient(c.conn).GetBundle(c.ctx, &bundlev1.GetBundleRequest{}))
}

func bundleList(c *call) (answer, error) {
	client := bundlev1.NewBundleClient(c.conn)
	if id := c.flag("id"); id != "" {
		return c.bundle(client.GetFederatedBundle(c.ctx, &bundlev1.GetFederatedBundleRequest{TrustDomain: id}))
	}
	all, err := client.ListFederatedBundles(c.ctx, &bundlev1.ListFederatedBundlesRequest{})
	if err != nil {
		return answer{}, err
	}
	var text strings.Builder
	for _, bundle := range all.Bundles {
		one, err := c.bundle(bundle, nil)
		if err != nil {
			return answer{}, err
		}
		fmt.Fprintf(&text, "* %s\n%s\n", bundle.TrustDomain, one.text)
	}
	return answer{message: all, text: text.String()}, nil
}

func bundleSet(c *call) (answer, error) {
	const failing = "failed to set federated bundle"
	format, err := c.format()
	if err != nil {
		return answer{}, err
	}
	data, err := read(c.flag("path"))
	if err != nil {
		return answer{}, fmt.Errorf("unable to load bundle data: %w", err)
	}
	bundle, err := parseBundle(data, format, c.flag("id"))
	if err != nil {
		return answer{}, err
	}
	reply, a, err := ask(c, failing, bundlev1.NewBundleClient(c.conn).BatchSetFederatedBundle, &bundlev1.BatchSetFederatedBundleRequest{Bundle: []*types.Bundle{bundle}})
	if err == nil {
		a.text, a.failed = "bundle set.\n", one(reply.Results[0].Status, failing)
	}
	return a, err
}

func bundleDelete(c *call) (answer, error) {
	const failing = "failed to delete federated bundle"
	mode, ok := bundlev1.BatchDeleteFederatedBundleRequest_Mode_value[strings.ToUpper(c.flag("mode"))]
	if !ok {
		return answer{}, fmt.Errorf("unsupported mode %q", c.flag("mode"))
	}
	request := &bundlev1.BatchDeleteFederatedBundleRequest{Mode: bundlev1.BatchDeleteFederatedBundleRequest_Mode(mode), TrustDomains: []string{c.flag("id")}}
	reply, a, err := ask(c, failing, bundlev1.NewBundleClient(c.conn).BatchDeleteFederatedBundle, request)
	if err == nil {
		r := reply.Results[0]
		a.text, a.failed = "bundle deleted.\n", one(r.Status, fmt.Sprintf("%s %q", failing, r.TrustDomain))
	}
	return a, err
}

func (c *call) format() (string, error) {
	format := strings.ToLower(c.flag("format"))
	if format != "pem" && format != "spiffe" {
		return "", fmt.Errorf("invalid format: %q", format)
	}
	return format, nil
}

// bundle answers with a bundle, for a reader in the format that -format asks for.
func (c *call) bundle(bundle *types.Bundle, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	format, err := c.format()
	if err != nil {
		return answer{}, err
	}
	var text bytes.Buffer
	if format == "pem" {
		for _, authority := range bundle.X509Authorities {
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: authority.Asn1}) // a buffer takes everything
		}
		return answer{message: bundle, text: text.String()}, nil
	}
	b, err := federation.FromProto(bundle)
	if err != nil {
		return answer{}, err
	}
	document, err := b.Marshal()
	if err != nil {
		return answer{}, err
	}
	err = json.Indent(&text, document, "", "    ")
	return answer{message: bundle, text: text.String() + "\n"}, err
}

func parseBundle(data []byte, format, trustDomain string) (*types.Bundle, error) {
	if format == "pem" {
		bundle := &types.Bundle{TrustDomain: trustDomain}
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" {
				bundle.X509Authorities = append(bundle.X509Authorities, &types.X509Certificate{Asn1: block.Bytes})
			}
		}
		if len(bundle.X509Authorities) == 0 {
			return nil, errors.New("unable to parse bundle data: no PEM blocks")
		}
		return bundle, nil
	}
	td, err := spiffeid.TrustDomainFromString(trustDomain)
	if err != nil {
		return nil, err
	}
	b, err := spiffebundle.Parse(td, data)
	if err != nil {
		return nil, fmt.Errorf("unable to parse to spiffe bundle: %w", err)
	}
	return federation.ToProto(b)
}
