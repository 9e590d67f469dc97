package controlplane

import (
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"agentweave-mesh/rehearsal/cloud/internal/config"
)

// Kubeconfig returns the path of the administrator's kubeconfig: client certificate, context "<name>-cluster".
func Kubeconfig(c *config.Config) string { return filepath.Join(c.Dir, "kubeconfig") }

// writeKubeconfig writes a kubeconfig, with everything inlined, for the user of a client certificate.
func writeKubeconfig(c *config.Config, pki PKI, user, file string) error {
	read := func(path string) (text []byte) {
		text, _ = os.ReadFile(path)
		return text
	}
	context := c.Name + "-cluster"
	k := api.NewConfig()
	k.Clusters[context] = &api.Cluster{Server: c.APIServer(), CertificateAuthorityData: read(pki.Cert("ca"))}
	k.AuthInfos[context] = &api.AuthInfo{ClientCertificateData: read(pki.Cert(user)), ClientKeyData: read(pki.Key(user))}
	k.Contexts[context] = &api.Context{Cluster: context, AuthInfo: context}
	k.CurrentContext = context
	return clientcmd.WriteToFile(*k, file)
}

// RestConfig is how the supervisor itself talks to the API server.
func (p PKI) RestConfig(c *config.Config) *rest.Config {
	return &rest.Config{
		Host:            c.APIServer(),
		QPS:             -1,
		TLSClientConfig: rest.TLSClientConfig{CAFile: p.Cert("ca"), CertFile: p.Cert("supervisor"), KeyFile: p.Key("supervisor")},
	}
}
