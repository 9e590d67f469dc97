// Command peer is a SPIFFE workload made of the SPIFFE project's own library, against which the TypeScript agent is tested.
// It speaks lines of JSON: what it is told on standard input, what it saw on standard output. It ends with its input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

// startLimit bounds the wait for the first identity.
const startLimit = 20 * time.Second

func main() {
	modes := map[string]func(context.Context, []string) error{"issue": issue, "call": call, "serve": serve}
	if len(os.Args) < 2 || modes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: peer issue|call|serve")
		os.Exit(2)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := modes[os.Args[1]](ctx, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// identitySource reads the identity of a Workload API's socket, and follows it.
func identitySource(ctx context.Context, socket string) (*workloadapi.X509Source, error) {
	first, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return workloadapi.NewX509Source(first, workloadapi.WithClientOptions(workloadapi.WithAddr("unix://"+socket)))
}

var printing sync.Mutex

// tell prints one line.
func tell(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err) // every value is made of texts, numbers and JSON that was read before
	}
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(line))
}

// each calls do with every line of standard input, until that ends.
func each[Order any](do func(Order) error) error {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var order Order
		if err := json.Unmarshal(line, &order); err != nil {
			return err
		}
		if err := do(order); err != nil {
			return err
		}
	}
}
