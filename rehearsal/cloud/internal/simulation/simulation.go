// Package simulation configures kwok, which plays the cloud's nodes and every pod that does not really run.
package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/yaml"

	"agentweave-mesh/rehearsal/cloud/internal/config"
)

// WriteStages writes kwok's configuration: its own stages for pods, restricted to the images that do not really run.
// (For nodes kwok takes its own stages by itself.)
func WriteStages(c *config.Config, file string) error {
	var patterns []string
	for _, image := range c.Images {
		patterns = append(patterns, "("+image.Match+")")
	}
	pattern, err := json.Marshal(strings.Join(patterns, "|"))
	if err != nil {
		return err
	}
	var documents []string
	for _, text := range []string{fast.DefaultPodReady, fast.DefaultPodComplete, fast.DefaultPodDelete} {
		var stage struct {
			APIVersion string         `json:"apiVersion"`
			Kind       string         `json:"kind"`
			Metadata   map[string]any `json:"metadata"`
			Spec       map[string]any `json:"spec"`
		}
		if err := yaml.Unmarshal([]byte(text), &stage); err != nil {
			return err
		}
		if len(patterns) > 0 {
			selector := stage.Spec["selector"].(map[string]any)
			selector["matchExpressions"] = append(selector["matchExpressions"].([]any), map[string]any{
				// A jq query; the string literals of jq are those of JSON.
				"key":      fmt.Sprintf(".spec.containers[].image | test(%s)", pattern),
				"operator": "NotIn",
				"values":   []string{"true"},
			})
		}
		document, err := yaml.Marshal(stage)
		if err != nil {
			return err
		}
		documents = append(documents, string(document))
	}
	return os.WriteFile(file, []byte(strings.Join(documents, "---\n")), 0o600)
}

// EnsureNodes registers the cloud's nodes.
func EnsureNodes(ctx context.Context, client kubernetes.Interface, c *config.Config) error {
	for i := range c.Nodes {
		name := fmt.Sprintf("%s-node-%d", c.Name, i)
		node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			v1.LabelHostname:           name,
			v1.LabelOSStable:           "linux",
			v1.LabelArchStable:         "amd64",
			v1.LabelTopologyRegion:     c.Region,
			v1.LabelTopologyZone:       c.Region + string(rune('a'+i%3)),
			v1.LabelInstanceTypeStable: "rehearsal",
		}}}
		if _, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// Ready says what of the cluster's base is not there yet; nil when all nodes are Ready and pods can be created.
func Ready(ctx context.Context, client kubernetes.Interface, c *config.Config) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	ready := 0
	for _, node := range nodes.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type == v1.NodeReady && condition.Status == v1.ConditionTrue {
				ready++
			}
		}
	}
	if ready < c.Nodes {
		return fmt.Errorf("%d of %d nodes are ready", ready, c.Nodes)
	}
	_, err = client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}
