package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// publishingCloud is a cloud whose server publishes its bundle by a kubeconfig as agentweave-mesh writes it.
func publishingCloud(t *testing.T, binary string, api *apiServer) *cloud {
	c := newCloud(t, binary, "a.example.org")
	directory := c.path("kubernetes")
	api.writeAccount(t, directory, "spire")
	write(t, filepath.Join(directory, "kubeconfig"), fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","clusters":[{"name":"in-cluster","cluster":{"server":%q,"certificate-authority":"ca.crt"}}],
		"users":[{"name":"in-cluster","user":{"tokenFile":"token"}}],"contexts":[{"name":"in-cluster","context":{"cluster":"in-cluster","user":"in-cluster"}}],"current-context":"in-cluster"}`, api.URL))
	c.edit("plugins {", fmt.Sprintf(`plugins {
  BundlePublisher "k8s_configmap" {
    plugin_data {
      clusters = {
        "a" = { namespace = "spire-system" configmap_name = "spire-bundle" configmap_key = "bundle.json" format = "spiffe" kubeconfig_path = %q }
      }
    }
  }`, filepath.Join(directory, "kubeconfig")))
	return c
}

// edit changes the server's configuration.
func (c *cloud) edit(from, to string) {
	c.t.Helper()
	text, err := os.ReadFile(c.path("server.conf"))
	if err != nil {
		c.t.Fatal(err)
	}
	write(c.t, c.path("server.conf"), strings.Replace(string(text), from, to, 1))
}

func (a *apiServer) nextApplied(t *testing.T) applied {
	t.Helper()
	select {
	case one := <-a.applied:
		return one
	case <-time.After(40 * time.Second):
		t.Fatal("nothing was applied")
		panic("unreachable")
	}
}

func TestTheBundleIsPublishedAtTheStartAndAfterEveryRotation(t *testing.T) {
	onEveryServer(t, func(t *testing.T, binary string) {
		api := newAPIServer(t)
		c := publishingCloud(t, binary, api)
		c.start()
		first := api.nextApplied(t)
		if first.path != "/api/v1/namespaces/spire-system/configmaps/spire-bundle" || first.contentType != "application/apply-patch+yaml" {
			t.Errorf("%+v", first)
		}
		published := func(a applied) string {
			data, _ := a.object["data"].(map[string]any)
			text, _ := data["bundle.json"].(string)
			return strings.Join(strings.Fields(text), "")
		}
		served := func() string { return strings.Join(strings.Fields(c.bundle()), "") }
		if got := published(first); got != served() {
			t.Errorf("published %s, served %s", got, served())
		}
		c.must("", "localauthority", "x509", "prepare")
		for got := published(api.nextApplied(t)); got != served(); got = published(api.nextApplied(t)) {
			t.Logf("published %s on the way", got)
		}
	})
}

func TestABundleThatCouldNotBePublishedIsPublishedLater(t *testing.T) {
	api := newAPIServer(t)
	api.refuse(1)
	c := publishingCloud(t, standIn, api)
	c.start()
	api.nextApplied(t)
	c.stop()
	if !strings.Contains(c.log.String(), "etcd is away") {
		t.Errorf("the log does not tell the cause:\n%s", c.log)
	}
}

func TestAPublisherThatCannotWorkStopsTheServerWithTheCause(t *testing.T) {
	for _, bad := range []struct{ from, to, why string }{
		{`format = "spiffe"`, `format = "pem"`, `publishes in format "spiffe"`},
		{`format = "spiffe"`, "", "missing bundle format in cluster"},
		{`namespace = "spire-system"`, "", "missing namespace in cluster"},
		{"/kubeconfig", "/missing", "no such file or directory"},
	} {
		c := publishingCloud(t, standIn, newAPIServer(t))
		c.edit(bad.from, bad.to)
		if run := c.do("", "run", "-config", c.path("server.conf")); run.exit != 1 || !strings.Contains(run.stderr, bad.why) {
			t.Errorf("want %q: %s", bad.why, run)
		}
	}
}
