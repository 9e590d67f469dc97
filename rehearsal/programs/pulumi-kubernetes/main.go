// Command pulumi-resource-kubernetes is Pulumi's Kubernetes provider. Its own command embeds a schema that the module does not carry; the
// engine never asks for it.
package main

import "github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"

// version is set by the linker.
var version = "v0.0.0"

func main() {
	provider.Serve("kubernetes", version, []byte(`{"name":"kubernetes"}`), nil)
}
