package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

const callLimit = 20 * time.Second

// order is one call: to whom, and what to send.
type order struct {
	URL string `json:"url"`
	// The id that must answer.
	Expect string `json:"expect"`
	// Only a call that names the same connection goes over the one that was opened for it.
	Connection string          `json:"connection"`
	MaxTLS12   bool            `json:"maxTls12"`
	Body       json.RawMessage `json:"body"`
}

// outcome is what came of a call. Error is empty exactly when there is an answer.
type outcome struct {
	Error  string `json:"error,omitempty"`
	Status int    `json:"status,omitempty"`
	// What the peer proved, and by which certificate.
	Peer   string `json:"peer,omitempty"`
	Serial string `json:"serial,omitempty"`
	TLS    string `json:"tls,omitempty"`
	// Whether the connection served an earlier call.
	Reused bool            `json:"reused"`
	Answer json.RawMessage `json:"answer,omitempty"`
}

func client(source *workloadapi.X509Source, o order) (*http.Client, error) {
	expected, err := spiffeid.FromString(o.Expect)
	if err != nil {
		return nil, err
	}
	config := tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(expected))
	if o.MaxTLS12 {
		config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: callLimit}, nil
}

func post(ctx context.Context, client *http.Client, o order) (outcome, error) {
	var came outcome
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { came.Reused = info.Reused }}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodPost, o.URL, bytes.NewReader(o.Body))
	if err != nil {
		return came, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return came, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return came, err
	}
	leaf := response.TLS.PeerCertificates[0]
	came.Peer, came.Serial, came.TLS = leaf.URIs[0].String(), leaf.SerialNumber.Text(16), tls.VersionName(response.TLS.Version)
	came.Status, came.Answer = response.StatusCode, body
	return came, nil
}

// call makes the calls that it is told, one after the other, with the identity of a socket.
func call(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("call", flag.ContinueOnError)
	socket := flags.String("socket", "", "path of the Workload API's socket")
	if err := flags.Parse(args); err != nil {
		return err
	}
	source, err := identitySource(ctx, *socket)
	if err != nil {
		return err
	}
	defer source.Close()
	clients := map[string]*http.Client{}
	return each(func(o order) error {
		if clients[o.Connection] == nil {
			if clients[o.Connection], err = client(source, o); err != nil {
				return err
			}
		}
		came, err := post(ctx, clients[o.Connection], o)
		if err != nil {
			came.Error = err.Error()
		}
		tell(came)
		return nil
	})
}
