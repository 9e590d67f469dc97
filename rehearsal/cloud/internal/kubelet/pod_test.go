package kubelet

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"agentweave-mesh/rehearsal/cloud/internal/config"
)

// prepared is a pod of one container, with its volumes made, in a cluster that has one ConfigMap `c`.
func prepared(t *testing.T, spec v1.Container, volumes ...v1.VolumeSource) *pod {
	t.Helper()
	cloud := filepath.Join(t.TempDir(), "cloud.json")
	text := `{"name": "aws", "address": "127.93.8.1", "dir": "` + filepath.Dir(cloud) + `", "nodes": 1,
		"podCidr": "10.20.0.0/16", "serviceCidr": "10.21.0.0/16", "region": "r", "csi": {"a.driver": "/run/sockets"},
		"binaries": {"etcd": "/x", "kubeApiserver": "/x", "kubeControllerManager": "/x", "kubeScheduler": "/x", "kwok": "/x"},
		"images": [{"match": "/tool:", "executables": {"/bin/tool": "/bin/sh"}}]}`
	if err := os.WriteFile(cloud, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(cloud)
	if err != nil {
		t.Fatal(err)
	}
	object := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p", UID: "u"}, Spec: v1.PodSpec{NodeName: "node-1"}}
	for i, volume := range volumes {
		name := string(rune('a' + i))
		object.Spec.Volumes = append(object.Spec.Volumes, v1.Volume{Name: name, VolumeSource: volume})
		spec.VolumeMounts = append(spec.VolumeMounts, v1.VolumeMount{Name: name, MountPath: "/mounted/" + name})
	}
	spec.Name, spec.Image = "main", "registry.example/tool:1"
	object.Spec.Containers = []v1.Container{spec}
	client := fake.NewClientset(&v1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "c"},
		Data:       map[string]string{"text": "listen on 0.0.0.0, ask opa.opa.svc"},
		BinaryData: map[string][]byte{"binary": []byte("\x1f\x8b 0.0.0.0 /mounted/a")},
	}, secret("one"))
	k, err := New(c, client, informers.NewSharedInformerFactory(client, 0), func(string, string) string { return "127.93.8.200" }, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := newPod(k, object, config.FirstPod)
	if !p.prepare(t.Context()) {
		t.Fatal("its volumes could not be made")
	}
	return p
}

func TestAProcessHasItsPodsEnvironmentAndNothingOfTheSupervisors(t *testing.T) {
	t.Setenv("NODE_OPTIONS", "--inspect")
	p := prepared(t, v1.Container{
		Command: []string{"/bin/tool", "-c", "env"},
		Env:     []v1.EnvVar{{Name: "OPA", Value: "http://opa.opa.svc:8181"}, {Name: "AGAIN", Value: "$(OPA)/$(HOSTNAME)"}},
	})
	cmd, err := p.containers[0].command(t.Context(), p.containers[0].spec.Command)
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	env := strings.Split(string(output), "\n")
	for _, want := range []string{"AGAIN=http://127.93.8.200:8181/p", "KUBERNETES_SERVICE_HOST=127.93.8.1", "KUBERNETES_SERVICE_PORT=6443"} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s in %s", want, output)
		}
	}
	if strings.Contains(string(output), "NODE_OPTIONS") {
		t.Error("the supervisor's NODE_OPTIONS reached the container")
	}
}

func TestTextsOfAConfigMapAreTranslatedAndItsBinaryDataIsNot(t *testing.T) {
	p := prepared(t, v1.Container{}, v1.VolumeSource{ConfigMap: &v1.ConfigMapVolumeSource{LocalObjectReference: v1.LocalObjectReference{Name: "c"}}})
	for file, want := range map[string]string{
		"text": "listen on 127.93.8.20, ask 127.93.8.200", "binary": "\x1f\x8b 0.0.0.0 /mounted/a",
	} {
		if got, err := os.ReadFile(filepath.Join(p.root, "mounted/a", file)); err != nil || string(got) != want {
			t.Errorf("%s is %q (%v), want %q", file, got, err, want)
		}
	}
}

// secret has a key `token`.
func secret(name string) *v1.Secret {
	return &v1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}, Data: map[string][]byte{"token": []byte("of " + name)}}
}

func TestAnOptionalSecretOfAProjectedVolumeIsShownOnceItIsThere(t *testing.T) {
	optional := true
	projected := &v1.ProjectedVolumeSource{}
	for _, name := range []string{"one", "two"} {
		projected.Sources = append(projected.Sources, v1.VolumeProjection{Secret: &v1.SecretProjection{
			LocalObjectReference: v1.LocalObjectReference{Name: name}, Optional: &optional,
			Items: []v1.KeyToPath{{Key: "token", Path: "clusters/" + name + "/token"}},
		}})
	}
	p := prepared(t, v1.Container{}, v1.VolumeSource{Projected: projected}, v1.VolumeSource{EmptyDir: &v1.EmptyDirVolumeSource{Medium: v1.StorageMediumMemory}})
	shown := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(p.root, "mounted/a/clusters", name, "token"))
		return string(text)
	}
	if shown("one") != "of one" || shown("two") != "" {
		t.Fatalf("at first %q and %q", shown("one"), shown("two"))
	}
	if _, err := p.kubelet.client.CoreV1().Secrets("n").Create(t.Context(), secret("two"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := p.materialize(t.Context()); err != nil || shown("two") != "of two" {
		t.Errorf("then %q, %v", shown("two"), err)
	}
}

func TestACSIVolumeShowsTheDirectoryOfThePodsOwnNode(t *testing.T) {
	p := prepared(t, v1.Container{},
		v1.VolumeSource{CSI: &v1.CSIVolumeSource{Driver: "a.driver"}},
		v1.VolumeSource{HostPath: &v1.HostPathVolumeSource{Path: "/run/sockets"}})
	if err := os.WriteFile(filepath.Join(p.root, "mounted/b/a.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(p.root, "mounted/a/a.sock")); err != nil {
		t.Error(err)
	}
	_, err := p.directory(t.Context(), &v1.Volume{VolumeSource: v1.VolumeSource{CSI: &v1.CSIVolumeSource{Driver: "another"}}})
	if err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("a volume of an unknown driver gave %v", err)
	}
}
