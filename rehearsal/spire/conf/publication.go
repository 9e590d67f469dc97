package conf

import (
	"fmt"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
)

// Publication is a ConfigMap to which BundlePublisher "k8s_configmap" writes the server's own bundle.
type Publication struct {
	Namespace  string `hcl:"namespace"`
	ConfigMap  string `hcl:"configmap_name"`
	Key        string `hcl:"configmap_key"`
	Format     string `hcl:"format"`
	Kubeconfig string `hcl:"kubeconfig_path"`
}

func (c *Config) checkPublications(clusters ast.Node) error {
	published := map[string]Publication{}
	if clusters != nil {
		if err := hcl.DecodeObject(&published, clusters); err != nil {
			return &PluginError{`BundlePublisher "k8s_configmap"`, fmt.Sprintf("unable to decode configuration: %v", err)}
		}
	}
	for name, p := range published {
		refuse := func(format string, args ...any) error {
			return &PluginError{`BundlePublisher "k8s_configmap"`, fmt.Sprintf(format, args...)}
		}
		switch {
		case p.Format == "":
			return refuse("missing bundle format in cluster %q", name)
		case p.Namespace == "":
			return refuse("missing namespace in cluster %q", name)
		case p.ConfigMap == "":
			return refuse("missing configmap name in cluster %q", name)
		case p.Key == "":
			return refuse("missing configmap key in cluster %q", name)
		case p.Format != "spiffe" || p.Kubeconfig == "":
			return fmt.Errorf("the stand-in publishes in format \"spiffe\" and by a kubeconfig alone: cluster %q", name)
		}
		c.Publications = append(c.Publications, p)
	}
	return nil
}
