package kubelet

import (
	"context"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"agentweave-mesh/rehearsal/cloud/internal/config"
)

var subscript = regexp.MustCompile(`^metadata\.(labels|annotations)\['([^']*)'\]$`)

// field reads a downward API field. Addresses are those on which the process really listens.
func (p *pod) field(path string) (string, error) {
	pod := p.latest()
	if parts := subscript.FindStringSubmatch(path); parts != nil {
		return map[string]map[string]string{"labels": pod.Labels, "annotations": pod.Annotations}[parts[1]][parts[2]], nil
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return lines(pod.Labels), nil
	case "metadata.annotations":
		return lines(pod.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return p.kubelet.config.Address, nil
	case "status.podIP", "status.podIPs":
		return p.address, nil
	}
	return "", fmt.Errorf("unknown field %q", path)
}

func lines(values map[string]string) string {
	var text []string
	for key, value := range values {
		text = append(text, key+"="+strconv.Quote(value))
	}
	sort.Strings(text)
	return strings.Join(text, "\n")
}

// resourceField reads a container's resource as the downward API has it: in units of the divisor, rounded up.
func resourceField(container *v1.Container, ref *v1.ResourceFieldSelector) (string, error) {
	kind, name, _ := strings.Cut(ref.Resource, ".")
	list := map[string]v1.ResourceList{"limits": container.Resources.Limits, "requests": container.Resources.Requests}[kind]
	quantity, found := list[v1.ResourceName(name)]
	if !found {
		return "", fmt.Errorf("container %s has no %s", container.Name, ref.Resource)
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	return strconv.FormatInt((quantity.MilliValue()+divisor.MilliValue()-1)/divisor.MilliValue(), 10), nil
}

// environment of a container's process, with everything that it refers to.
func (p *pod) environment(ctx context.Context, container *v1.Container) (map[string]string, error) {
	pod := p.latest()
	env := map[string]string{
		"PATH":                    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME":                    p.root,
		"TMPDIR":                  p.root + "/tmp",
		"HOSTNAME":                pod.Name,
		"KUBERNETES_SERVICE_HOST": p.kubelet.config.Address,
		"KUBERNETES_SERVICE_PORT": strconv.Itoa(config.APIServerPort),

		"KUBERNETES_SERVICE_PORT_HTTPS": strconv.Itoa(config.APIServerPort),
	}
	if p.isolated {
		env["TMPDIR"] = "/tmp"
	}
	for _, from := range container.EnvFrom {
		var values map[string][]byte
		var err error
		if ref := from.ConfigMapRef; ref != nil {
			values, err = p.configMap(ctx, ref.Name, ref.Optional)
		} else if ref := from.SecretRef; ref != nil {
			values, err = p.secret(ctx, ref.Name, ref.Optional)
		}
		if err != nil {
			return nil, err
		}
		for key, value := range values {
			env[from.Prefix+key] = string(value)
		}
	}
	for _, variable := range container.Env {
		value, set, err := p.variable(ctx, container, variable, env)
		if err != nil {
			return nil, fmt.Errorf("environment variable %s: %w", variable.Name, err)
		}
		if set {
			env[variable.Name] = value
		}
	}
	return env, nil
}

func (p *pod) variable(ctx context.Context, container *v1.Container, variable v1.EnvVar, env map[string]string) (string, bool, error) {
	from := variable.ValueFrom
	if from == nil {
		return expand(p.translation.text(variable.Value), env), true, nil
	}
	keyOf := func(values map[string][]byte, err error, key string, optional *bool) (string, bool, error) {
		value, found := values[key]
		if err == nil && !found && !isTrue(optional) {
			err = fmt.Errorf("no key %q", key)
		}
		return string(value), found, err
	}
	var value string
	var err error
	switch {
	case from.FieldRef != nil:
		value, err = p.field(from.FieldRef.FieldPath)
	case from.ResourceFieldRef != nil:
		value, err = resourceField(container, from.ResourceFieldRef)
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		values, err := p.configMap(ctx, ref.Name, ref.Optional)
		return keyOf(values, err, ref.Key, ref.Optional)
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		values, err := p.secret(ctx, ref.Name, ref.Optional)
		return keyOf(values, err, ref.Key, ref.Optional)
	default:
		err = fmt.Errorf("unknown source")
	}
	return value, err == nil, err
}

var reference = regexp.MustCompile(`\$\$|\$\([A-Za-z_.-][\w.-]*\)`)

// expand replaces $(NAME) as Kubernetes does: unknown names stay, $$ is a dollar sign.
func expand(text string, env map[string]string) string {
	return reference.ReplaceAllStringFunc(text, func(match string) string {
		if match == "$$" {
			return "$"
		}
		if value, found := env[match[2:len(match)-1]]; found {
			return value
		}
		return match
	})
}

func isTrue(value *bool) bool { return value != nil && *value }

// configMap reads a ConfigMap of the pod's namespace, its texts translated; a missing one is empty when it is optional.
func (p *pod) configMap(ctx context.Context, name string, optional *bool) (map[string][]byte, error) {
	found, err := p.kubelet.client.CoreV1().ConfigMaps(p.namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	values := map[string][]byte{}
	for key, value := range found.Data {
		values[key] = []byte(p.translation.text(value))
	}
	for key, value := range found.BinaryData {
		values[key] = value
	}
	return values, nil
}

// secret reads a Secret of the pod's namespace; a missing one is empty when it is optional.
func (p *pod) secret(ctx context.Context, name string, optional *bool) (map[string][]byte, error) {
	found, err := p.kubelet.client.CoreV1().Secrets(p.namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return found.Data, nil
}
