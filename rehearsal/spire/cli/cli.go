// Package cli is the command line of spire-server: the same commands, JSON, errors and exit codes as
// SPIRE 1.14 (cmd/spire-server/cli of SPIRE), with the flags that agentweave-mesh has a use for.
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

// command is a command that talks to a running server.
type command struct {
	synopsis string
	// flags it has besides -output and -socketPath.
	flags []string
	// required is the error where the first flag is empty; none where it may be.
	required string
	run      func(*call) (answer, error)
}

// call is one run of a command; flags has the value of every flag but -dns, which may be given several times.
type call struct {
	ctx      context.Context
	conn     grpc.ClientConnInterface
	flags    map[string]*string
	dnsNames []string
}

func (c *call) flag(name string) string { return *c.flags[name] }

var flagDefaults = map[string]string{"format": "pem", "mode": "restrict", "output": "pretty", "socketPath": conf.DefaultSocketPath, "ttl": "0s"}

// noFlags: SPIRE takes items from flags too.
const noFlags = "the stand-in reads items from JSON alone: -data is required"

var commands = map[string]command{
	"healthcheck":                  {"Determines server health status", nil, "", healthcheck},
	"bundle show":                  {"Prints server CA bundle to stdout", []string{"format"}, "", bundleShow},
	"bundle list":                  {"Lists federated bundle data", []string{"id", "format"}, "", bundleList},
	"bundle set":                   {"Creates or updates federated bundle data", []string{"id", "path", "format"}, "id flag is required", bundleSet},
	"bundle delete":                {"Deletes federated bundle data", []string{"id", "mode"}, "id is required", bundleDelete},
	"entry create":                 {"Creates registration entries", []string{"data"}, noFlags, entryCreate},
	"entry update":                 {"Updates registration entries", []string{"data"}, noFlags, entryUpdate},
	"entry show":                   {"Displays configured registration entries", []string{"entryID", "spiffeID"}, "", entryShow},
	"entry count":                  {"Count registration entries", nil, "", entryCount},
	"entry delete":                 {"Deletes registration entries", []string{"entryID"}, "an entry ID is required", entryDelete},
	"federation create":            {"Creates a dynamic federation relationship with a foreign trust domain", []string{"data"}, noFlags, federationCreate},
	"federation update":            {"Updates a dynamic federation relationship with a foreign trust domain", []string{"data"}, noFlags, federationUpdate},
	"federation show":              {"Shows a dynamic federation relationship", []string{"trustDomain"}, "a trust domain name is required", federationShow},
	"federation list":              {"Lists all dynamic federation relationships", nil, "", federationList},
	"federation refresh":           {"Refreshes the bundle from the specified federated trust domain", []string{"id"}, "id is required", federationRefresh},
	"federation delete":            {"Deletes a dynamic federation relationship", []string{"id"}, "id is required", federationDelete},
	"localauthority x509 show":     {"Shows the local X.509 authorities", nil, "", authorityShow},
	"localauthority x509 prepare":  {"Prepares a new X.509 authority and adds it to the bundle", nil, "", authorityPrepare},
	"localauthority x509 activate": {"Signs with the prepared X.509 authority from now on", []string{"authorityID"}, "an authority ID is required", authorityActivate},
	"localauthority x509 taint":    {"Marks the previously active X.509 authority as being tainted", []string{"authorityID"}, "an authority ID is required", authorityTaint},
	"localauthority x509 revoke":   {"Removes the tainted X.509 authority from the bundle", []string{"authorityID"}, "an authority ID is required", authorityRevoke},
	"x509 mint":                    {"Mints an X509-SVID", []string{"spiffeID", "ttl", "dns", "write"}, "spiffeID must be specified", mint},
}

// Run does one command and returns the exit code. serve runs the server; it is a parameter because
// the server is no concern of the commands that talk to it.
func Run(ctx context.Context, args []string, serve func(context.Context, *conf.Config) error) int {
	if len(args) > 0 {
		switch args[0] {
		case "-v", "-version", "--version", "version":
			fmt.Fprintln(os.Stderr, Version)
			return exitOK
		case "run", "validate":
			return runOrValidate(ctx, args[0], args[1:], serve)
		}
	}
	for words := min(3, len(args)); words > 0; words-- {
		name := strings.Join(args[:words], " ")
		if c, ok := commands[name]; ok {
			return c.start(ctx, name, args[words:])
		}
	}
	usage(os.Stderr)
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "-help" || a == "--help" }) {
		return exitOK
	}
	return exitUnknown
}

// parse returns the exit code of a command whose flags end it.
func parse(set *flag.FlagSet, args []string) (code int, end bool) {
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, Notice)
		return exitOK, true
	}
	return exitFailed, err != nil
}

func (c command) start(ctx context.Context, name string, args []string) int {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	do := &call{ctx: ctx, flags: map[string]*string{}}
	for _, name := range slices.Concat(c.flags, []string{"output", "socketPath"}) {
		usage := "as in SPIRE's spire-server " + set.Name()
		if name == "dns" {
			set.Func(name, usage, func(value string) error { do.dnsNames = append(do.dnsNames, value); return nil })
			continue
		}
		do.flags[name] = set.String(name, flagDefaults[name], usage)
	}
	if code, end := parse(set, args); end {
		return code
	}
	if err := c.execute(do); err != nil {
		fmt.Fprintln(os.Stderr, "Error: "+err.Error())
		return exitFailed
	}
	return exitOK
}

func (c command) execute(do *call) error {
	output := do.flag("output")
	switch {
	case output != "pretty" && output != "json":
		return fmt.Errorf("bad formatter flag: unknown format option: %q", output)
	case c.required != "" && do.flag(c.flags[0]) == "":
		return errors.New(c.required)
	}
	conn, err := grpc.NewClient("unix:"+do.flag("socketPath"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	do.conn = conn
	a, err := c.run(do)
	if err != nil {
		return err
	}
	return a.print(os.Stdout, output == "json")
}

func runOrValidate(ctx context.Context, name string, args []string, serve func(context.Context, *conf.Config) error) int {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	path := set.String("config", "conf/server/server.conf", "Path to a SPIRE config file")
	if code, end := parse(set, args); end {
		return code
	}
	config, err := conf.Load(*path)
	if unknown := conf.UnknownKeys(nil); errors.As(err, &unknown) && name == "run" {
		fmt.Fprintln(os.Stderr, "Unknown configuration detected:", strings.Join(unknown, ", "))
	}
	var plugin *conf.PluginError
	switch {
	case name == "validate" && err == nil:
		fmt.Println("SPIRE server configuration file is valid.")
		return exitOK
	case name == "validate" && errors.As(err, &plugin):
		err = fmt.Errorf("SPIRE server configuration file is invalid.\nValidation errors:\n\t%s:\n\t\t%s", plugin.Plugin, plugin.Note)
	case name == "validate":
		err = fmt.Errorf("SPIRE server configuration file is invalid: %w", err)
	case err == nil:
		err = serve(ctx, config)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return exitOK
}

func usage(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nUsage: spire-server [--version] [--help] <command> [<args>]\n\nCommands are run -config FILE, validate -config FILE, and:\n", Notice)
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		fmt.Fprintf(w, "    %-30s%s\n", name, commands[name].synopsis)
	}
}
