// Command spire-agent is a stand-in for SPIRE's spire-agent: `spire-agent run -config FILE`. See package agent for what
// it serves.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"agentweave-mesh/rehearsal/spire/agent"
	"agentweave-mesh/rehearsal/spire/conf"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "run" {
		return fmt.Errorf("%s\n\nUsage: spire-agent run -config FILE", agent.Notice)
	}
	set := flag.NewFlagSet("run", flag.ExitOnError)
	path := set.String("config", "conf/agent/agent.conf", "Path to a SPIRE config file")
	_ = set.Parse(args[1:]) // ends the program by itself
	config, err := conf.LoadAgent(*path)
	if err != nil {
		return err
	}
	return agent.Run(ctx, config)
}
