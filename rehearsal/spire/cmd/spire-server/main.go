// Command spire-server is a stand-in for SPIRE's spire-server: see package cli for its commands and
// package server for what it serves.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"agentweave-mesh/rehearsal/spire/cli"
	"agentweave-mesh/rehearsal/spire/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], server.Run)
	stop()
	os.Exit(code)
}
