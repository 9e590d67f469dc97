// Command csi-stand-in is a STAND-IN, for rehearsals only, for three programs of a node: SPIFFE's CSI driver (spiffe-csi-driver), and the
// sidecars csi-node-driver-registrar and livenessprobe. Where images can be pulled, those are used; where they cannot, they cannot be built
// either, for the Go module proxy refuses their modules. It speaks their real protocols (CSI, and the kubelet's registration of plugins)
// with their flags as far as the mesh's pod uses them, and is each of the three by the name it is called by.
//
// What is different: no metrics, profiling, statistics or condition of volumes; a volume is read-only on the node too, where SPIFFE's
// driver leaves that to how the agent's directory is mounted into it. It wants Linux 5.12 for that.
package main

import (
	"context"
	"log"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
)

// programs are what this command can be, by the base name of its entrypoint.
var programs = map[string]func(context.Context, []string) error{
	"spiffe-csi-driver":         runDriver,
	"csi-node-driver-registrar": runRegistrar,
	"livenessprobe":             runLivenessProbe,
}

func main() {
	name := filepath.Base(os.Args[0])
	log.SetPrefix(name + " (stand-in): ")
	log.SetFlags(log.LstdFlags | log.LUTC | log.Lmsgprefix)

	run, known := programs[name]
	if !known {
		log.Fatalf("call this by one of the names %q", slices.Sorted(maps.Keys(programs)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}
