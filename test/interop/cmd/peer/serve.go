package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
)

// rpc is a request of the agents' protocol, as far as a ping goes.
type rpc struct {
	ID     json.RawMessage `json:"id"`
	Params struct {
		TaskID   string `json:"task_id"`
		TaskType string `json:"task_type"`
	} `json:"params"`
}

// handshakeErrors tells of connections that came to nothing.
type handshakeErrors struct{}

func (handshakeErrors) Write(line []byte) (int, error) {
	tell(map[string]string{"refused": strings.TrimSpace(string(line))})
	return len(line), nil
}

// completed is the answer to a request: its task is done at once.
func completed(request rpc, result map[string]any, caller string) map[string]any {
	now := time.Now().UTC().Format(time.RFC3339)
	return map[string]any{"jsonrpc": "2.0", "id": request.ID, "result": map[string]any{
		"id": request.Params.TaskID, "type": request.Params.TaskType, "state": "completed",
		"payload": nil, "messages": []any{}, "artifacts": []any{}, "error": nil, "result": result,
		"created_at": now, "updated_at": now, "metadata": map[string]any{"caller_spiffe_id": caller},
	}}
}

func answer(own string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller := r.TLS.PeerCertificates[0].URIs[0].String()
		tell(map[string]string{"caller": caller})
		body, err := io.ReadAll(r.Body)
		var request rpc
		if err != nil || json.Unmarshal(body, &request) != nil {
			http.Error(w, "not a request", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		result := map[string]any{"pong": true, "agent": own, "caller": caller}
		_ = json.NewEncoder(w).Encode(completed(request, result, caller)) // a caller that went away wants no answer
	}
}

// serve answers every task with a pong, under the identity of a socket.
func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	socket := flags.String("socket", "", "path of the Workload API's socket")
	only := flags.String("only", "", "the one SPIFFE id that may call (default: any of a known trust domain)")
	tls12 := flags.Bool("max-tls-12", false, "speak nothing newer than TLS 1.2")
	if err := flags.Parse(args); err != nil {
		return err
	}
	source, err := identitySource(ctx, *socket)
	if err != nil {
		return err
	}
	defer source.Close()
	own, err := source.GetX509SVID()
	if err != nil {
		return err
	}
	authorizer := tlsconfig.AuthorizeAny()
	if *only != "" {
		id, err := spiffeid.FromString(*only)
		if err != nil {
			return err
		}
		authorizer = tlsconfig.AuthorizeID(id)
	}
	config := tlsconfig.MTLSServerConfig(source, source, authorizer)
	if *tls12 {
		config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	tell(map[string]string{"address": "https://" + listener.Addr().String()})
	server := &http.Server{
		Handler:           answer(own.ID.String()),
		TLSConfig:         config,
		ErrorLog:          log.New(handshakeErrors{}, "", 0),
		ReadHeaderTimeout: callLimit,
	}
	go func() { _ = server.ServeTLS(listener, "", "") }() // it ends with the process
	return each(func(struct{}) error { return nil })
}
