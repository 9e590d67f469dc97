// Command bundle-probe fetches the bundle of a live https_spiffe endpoint, authenticates it with a
// bundle that is already known, and prints what it found as JSON. It exits 1 with the cause otherwise.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"agentweave-mesh/rehearsal/spire/probe"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bundle-probe:", err)
		os.Exit(1)
	}
}

func run() error {
	url := flag.String("url", "", "URL of the bundle endpoint, for example https://127.0.11.20:8443")
	text := flag.String("id", "", "SPIFFE id the endpoint has to present, for example spiffe://aws.example.org/spire/server")
	path := flag.String("bundle", "-", "File of the bundle to authenticate with, in SPIFFE JSON form; - reads standard input")
	timeout := flag.Duration("timeout", 10*time.Second, "How long to wait for the endpoint")
	flag.Parse()
	if *url == "" {
		return errors.New("-url is required")
	}
	id, err := spiffeid.FromString(*text)
	if err != nil {
		return fmt.Errorf("-id %q: %w", *text, err)
	}
	file := os.Stdin
	if *path != "-" {
		if file, err = os.Open(*path); err != nil {
			return err
		}
		defer file.Close()
	}
	known, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	report, err := probe.Fetch(ctx, *url, id, known)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}
