// Package cli is the command line of spire-server: the same commands, flags, output and exit codes as
// SPIRE 1.14 (cmd/spire-server/cli of SPIRE), for what the stand-in can do.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"agentweave-mesh/rehearsal/spire/conf"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Version is what `--version` prints: the version of SPIRE whose behaviour this is, marked as a stand-in.
const Version = "1.14.7-standin"

// Notice says plainly what this program is.
const Notice = "This is a stand-in for SPIRE's spire-server, made for rehearsals and tests of agentweave-mesh. It is not SPIRE: never run it in production."

// Exit codes of the command line.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUnknown = 127
)

// Env is where a command reads and writes.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
}

// command is one command: flags adds its flags and returns what it does against a running server.
type command struct {
	synopsis string
	flags    func(*flag.FlagSet) action
}

type action func(context.Context, grpc.ClientConnInterface, Env) error

var commands = map[string]command{
	"bundle show":                  {"Prints server CA bundle to stdout", bundleShow},
	"bundle list":                  {"Lists federated bundle data", bundleList},
	"bundle set":                   {"Creates or updates federated bundle data", bundleSet},
	"bundle delete":                {"Deletes federated bundle data", bundleDelete},
	"entry create":                 {"Creates registration entries", entryCreate},
	"entry update":                 {"Updates registration entries", entryUpdate},
	"entry show":                   {"Displays configured registration entries", entryShow},
	"entry count":                  {"Count registration entries", entryCount},
	"entry delete":                 {"Deletes registration entries", entryDelete},
	"federation create":            {"Creates a dynamic federation relationship with a foreign trust domain", federationCreate},
	"federation update":            {"Updates a dynamic federation relationship with a foreign trust domain", federationUpdate},
	"federation show":              {"Shows a dynamic federation relationship", federationShow},
	"federation list":              {"Lists all dynamic federation relationships", federationList},
	"federation refresh":           {"Refreshes the bundle from the specified federated trust domain", federationRefresh},
	"federation delete":            {"Deletes a dynamic federation relationship", federationDelete},
	"localauthority x509 show":     {"Shows the local X.509 authorities", authorityShow},
	"localauthority x509 prepare":  {"Prepares a new X.509 authority for use by generating a new key and injecting the resulting CA certificate into the bundle", authorityPrepare},
	"localauthority x509 activate": {"Activates a prepared X.509 authority for use, which will cause it to be used for all X.509 signing operations serviced by this server going forward", authorityActivate},
	"localauthority x509 taint":    {"Marks the previously active X.509 authority as being tainted", authorityTaint},
	"localauthority x509 revoke":   {"Revokes the previously active X.509 authority by removing it from the bundle and propagating this update throughout the cluster", authorityRevoke},
	"healthcheck":                  {"Determines server health status", healthCheck},
	"x509 mint":                    {"Mints an X509-SVID", mint},
}

// Run does one command and returns the exit code. serve runs the server; it is a parameter because
// the server is no concern of the commands that talk to it.
func Run(ctx context.Context, args []string, env Env, serve func(context.Context, *conf.Config, io.Writer) error) int {
	if len(args) > 0 {
		switch args[0] {
		case "-v", "-version", "--version", "version":
			fmt.Fprintln(env.Err, Version)
			return exitOK
		case "run", "validate":
			return runOrValidate(ctx, args[0], args[1:], env, serve)
		}
	}
	for words := min(3, len(args)); words > 0; words-- {
		name := strings.Join(args[:words], " ")
		if c, ok := commands[name]; ok {
			return c.run(ctx, name, args[words:], env)
		}
	}
	usage(env.Err)
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "-help" || a == "--help" }) {
		return exitOK
	}
	return exitUnknown
}

func (c command) run(ctx context.Context, name string, args []string, env Env) int {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(env.Err)
	socket := set.String("socketPath", conf.DefaultSocketPath, "Path to the SPIRE Server API socket")
	do := c.flags(set)
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(env.Err, Notice)
			return exitOK
		}
		return exitFailed
	}
	path := *socket
	if other := os.Getenv("SPIRE_SERVER_PRIVATE_SOCKET"); other != "" && path == conf.DefaultSocketPath {
		path = other
	}
	connection, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err == nil {
		defer connection.Close()
		err = do(ctx, connection, env)
	}
	if err != nil {
		fmt.Fprintln(env.Err, "Error: "+err.Error())
		return exitFailed
	}
	return exitOK
}

func runOrValidate(ctx context.Context, name string, args []string, env Env, serve func(context.Context, *conf.Config, io.Writer) error) int {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(env.Err)
	var o conf.Overrides
	path := set.String("config", "", "Path to a SPIRE config file")
	set.StringVar(&o.BindAddress, "bindAddress", "", "IP address or DNS name of the SPIRE server")
	set.IntVar(&o.BindPort, "serverPort", 0, "Port number of the SPIRE server")
	set.StringVar(&o.DataDir, "dataDir", "", "Directory to store runtime data to")
	set.StringVar(&o.LogFile, "logFile", "", "File to write logs to")
	set.StringVar(&o.LogFormat, "logFormat", "", "'text' or 'json'")
	set.StringVar(&o.LogLevel, "logLevel", "", "'debug', 'info', 'warn', or 'error'")
	set.StringVar(&o.SocketPath, "socketPath", "", "Path to bind the SPIRE Server API socket to")
	set.StringVar(&o.TrustDomain, "trustDomain", "", "The trust domain that this server belongs to")
	set.BoolVar(&o.ExpandEnv, "expandEnv", false, "Expand environment variables in SPIRE config file")
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(env.Err, Notice)
		return exitOK
	}
	if err != nil {
		return exitFailed
	}
	config, err := conf.Load(*path, o)
	if name == "validate" {
		if err != nil {
			var plugin *conf.PluginError
			if errors.As(err, &plugin) {
				fmt.Fprintf(env.Err, "SPIRE server configuration file is invalid.\nValidation errors:\n\t%s:\n\t\t%s\n", plugin.Plugin, plugin.Note)
			} else {
				fmt.Fprintf(env.Err, "SPIRE server configuration file is invalid: %v\n", err)
			}
			return exitFailed
		}
		fmt.Fprintln(env.Out, "SPIRE server configuration file is valid.")
		return exitOK
	}
	var unknown *conf.UnknownKeys
	if errors.As(err, &unknown) {
		fmt.Fprintln(env.Err, "Unknown configuration detected:", unknown.Detail)
	}
	if err == nil {
		err = serve(ctx, config, env.Err)
	}
	if err != nil {
		fmt.Fprintln(env.Err, err)
		return exitFailed
	}
	return exitOK
}

func usage(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nUsage: spire-server [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n", Notice)
	table := tabwriter.NewWriter(w, 0, 0, 4, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		fmt.Fprintf(table, "    %s\t%s\n", name, commands[name].synopsis)
	}
	fmt.Fprintf(table, "    run\tRuns the server\n    validate\tValidates a SPIRE server configuration file\n")
	_ = table.Flush()
}
