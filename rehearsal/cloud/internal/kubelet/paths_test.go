package kubelet

import (
	"testing"

	v1 "k8s.io/api/core/v1"
)

// on is a pod's place on this machine. Its cloud has two Services and no address for more.
func on(root string) translation {
	services := map[string]string{"spire/spire-server": "127.0.11.200", "opa/opa": "127.0.11.201"}
	return translation{root: root, address: "127.0.11.20", apiServer: "127.0.11.1:6443", service: func(namespace, name string) string {
		return services[namespace+"/"+name]
	}}
}

func TestMountPathsBecomeRelativeAtPathBoundariesOnly(t *testing.T) {
	mounts := []v1.VolumeMount{{MountPath: "/run/spire"}, {MountPath: "/run/spire/data/"}, {MountPath: "/tmp"}}
	pod := &v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{{VolumeMounts: mounts}}}}
	translate := newTranslation(pod, on("/proc/self/cwd"))
	for text, want := range map[string]string{
		"/run/spire/data":                          "run/spire/data",
		"/run/spire/data/x /run/spire/y":           "run/spire/data/x run/spire/y",
		"/tmp /tmp /tmp":                           "tmp tmp tmp",
		`data_dir = "/run/spire/data"`:             `data_dir = "run/spire/data"`,
		"--config=/run/spire/server.conf":          "--config=run/spire/server.conf",
		"/run/spire-agent":                         "/run/spire-agent",
		"/run/spire/database":                      "run/spire/database",
		"/var/run/spire/data":                      "/var/run/spire/data",
		"/tmpfs":                                   "/tmpfs",
		"/tmp/run/spire/tmp":                       "tmp/run/spire/tmp",
		"https://host/tmp":                         "https://host/tmp",
		"unix:///run/spire/data/a.sock":            "unix:///proc/self/cwd/run/spire/data/a.sock",
		"unix:/run/spire/data/a.sock":              "unix:run/spire/data/a.sock",
		"file:///tmp/a and /tmp/b":                 "file:///proc/self/cwd/tmp/a and tmp/b",
		"/opt/spire/bin/spire-server":              "/opt/spire/bin/spire-server",
		"server: https://kubernetes.default.svc\n": "server: https://127.0.11.1:6443\n",
		"https://kubernetes.default.svc:443/api":   "https://127.0.11.1:6443/api",
		"https://kubernetes.default.svcs.example":  "https://kubernetes.default.svcs.example",
		"replacement: kubernetes.default.svc\n":    "replacement: 127.0.11.1:6443\n",
		"not-kubernetes.default.svc":               "not-kubernetes.default.svc",
		`bind_address = "0.0.0.0"`:                 `bind_address = "127.0.11.20"`,
		"0.0.0.0:8081,0.0.0.0:8443,10.0.0.0":       "127.0.11.20:8081,127.0.11.20:8443,10.0.0.0",
		"10.0.0.0/16 is not 0.0.0.0/0 in a text":   "10.0.0.0/16 is not 127.0.11.20/0 in a text",
	} {
		if got := translate.text(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestAnAbsolutePathAfterASchemeIsTranslatedOnce(t *testing.T) {
	pod := &v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{{VolumeMounts: []v1.VolumeMount{{MountPath: "/tmp"}}}}}}
	if got := newTranslation(pod, on("/tmp/a_b")).text("unix:///tmp/tmp/x"); got != "unix:///tmp/a_b/tmp/tmp/x" {
		t.Error(got)
	}
}

func TestTheNameOfAServiceBecomesItsAddress(t *testing.T) {
	translate := newTranslation(&v1.Pod{}, on("/state/pods/a_b"))
	for text, want := range map[string]string{
		`server_address = "spire-server.spire.svc"`:      `server_address = "127.0.11.200"`,
		"http://opa.opa.svc.cluster.local:8181/v1/data":  "http://127.0.11.201:8181/v1/data",
		"opa.opa.svc,opa.opa.svc.cluster.local.":         "127.0.11.201,127.0.11.201",
		"opa.opa.svc.example.org and not-opa.opa.svc":    "opa.opa.svc.example.org and not-opa.opa.svc",
		"opa-0.opa.opa.svc and opa.opa.svcs and opa.svc": "opa-0.opa.opa.svc and opa.opa.svcs and opa.svc",
		"https://kubernetes.default.svc.cluster.local/x": "https://127.0.11.1:6443/x",
	} {
		if got := translate.text(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestTextsOfPodsWithoutMountsKeepTheirPaths(t *testing.T) {
	translate := newTranslation(&v1.Pod{}, on("/state/pods/a_b"))
	if got := translate.text("/run/spire 0.0.0.0"); got != "/run/spire 127.0.11.20" {
		t.Error(got)
	}
}

func TestInASandboxOnlyTheNamesOfServicesAreTranslated(t *testing.T) {
	pod := &v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{{VolumeMounts: []v1.VolumeMount{{MountPath: "/run/spire"}}}}}}
	const text = "0.0.0.0:8181 unix:///run/spire/a.sock opa.opa.svc https://kubernetes.default.svc"
	for hostNetwork, want := range map[bool]string{
		false: "0.0.0.0:8181 unix:///run/spire/a.sock 127.0.11.201 https://127.0.11.1:6443",
		true:  "127.0.11.20:8181 unix:///run/spire/a.sock 127.0.11.201 https://127.0.11.1:6443",
	} {
		if got := newTranslation(pod, on("/state/pods/a_b")).forSandbox(hostNetwork).text(text); got != want {
			t.Errorf("host network %v: %q, want %q", hostNetwork, got, want)
		}
	}
}
