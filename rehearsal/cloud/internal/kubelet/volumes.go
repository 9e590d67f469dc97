package kubelet

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// file of a volume that the API server's objects are the source of.
type file struct {
	content []byte
	mode    os.FileMode
}

// materialize makes every volume of the pod and brings its files up to date.
func (p *pod) materialize(ctx context.Context) error {
	for _, volume := range p.latest().Spec.Volumes {
		directory, err := p.directory(ctx, &volume)
		if err != nil {
			return fmt.Errorf("volume %s: %w", volume.Name, err)
		}
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return err
		}
		p.volumes[volume.Name] = directory
		files, err := p.files(ctx, &volume)
		if err != nil {
			return fmt.Errorf("volume %s: %w", volume.Name, err)
		}
		if files != nil {
			if err := writeFiles(directory, files); err != nil {
				return err
			}
		}
	}
	return nil
}

// directory on this machine that plays the volume.
func (p *pod) directory(ctx context.Context, volume *v1.Volume) (string, error) {
	// What belongs to the node is shared by the node's pods.
	host := filepath.Join(p.kubelet.config.Dir, "host", p.latest().Spec.NodeName)
	switch {
	case volume.HostPath != nil:
		return filepath.Join(host, volume.HostPath.Path), nil
	case volume.CSI != nil:
		source, found := p.kubelet.config.CSI[volume.CSI.Driver]
		if !found {
			return "", fmt.Errorf("driver name %s not found in the list of registered CSI drivers", volume.CSI.Driver)
		}
		return filepath.Join(host, source), nil
	case volume.PersistentVolumeClaim != nil:
		claim, err := p.kubelet.client.CoreV1().PersistentVolumeClaims(p.namespace).Get(ctx, volume.PersistentVolumeClaim.ClaimName, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		bound, err := p.kubelet.client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("claim %s is not bound: %w", claim.Name, err)
		}
		if bound.Spec.HostPath == nil {
			return "", fmt.Errorf("persistent volume %s is not a directory of this machine", bound.Name)
		}
		return bound.Spec.HostPath.Path, nil
	}
	return filepath.Join(p.own, volume.Name), nil
}

// files returns what a volume consists of, or nil for volumes that start empty.
func (p *pod) files(ctx context.Context, volume *v1.Volume) (map[string]file, error) {
	projected := v1.ProjectedVolumeSource{}
	switch {
	case volume.ConfigMap != nil:
		source := volume.ConfigMap
		projected.DefaultMode = source.DefaultMode
		projected.Sources = []v1.VolumeProjection{{ConfigMap: &v1.ConfigMapProjection{LocalObjectReference: source.LocalObjectReference, Items: source.Items, Optional: source.Optional}}}
	case volume.Secret != nil:
		source := volume.Secret
		projected.DefaultMode = source.DefaultMode
		projected.Sources = []v1.VolumeProjection{{Secret: &v1.SecretProjection{LocalObjectReference: v1.LocalObjectReference{Name: source.SecretName}, Items: source.Items, Optional: source.Optional}}}
	case volume.DownwardAPI != nil:
		projected.DefaultMode = volume.DownwardAPI.DefaultMode
		projected.Sources = []v1.VolumeProjection{{DownwardAPI: &v1.DownwardAPIProjection{Items: volume.DownwardAPI.Items}}}
	case volume.Projected != nil:
		projected = *volume.Projected
	default:
		return nil, nil
	}
	defaultMode := os.FileMode(0o644)
	if projected.DefaultMode != nil {
		defaultMode = os.FileMode(*projected.DefaultMode)
	}
	files := map[string]file{}
	for _, source := range projected.Sources {
		var err error
		switch {
		case source.ConfigMap != nil:
			var values map[string][]byte
			if values, err = p.configMap(ctx, source.ConfigMap.Name, source.ConfigMap.Optional); err == nil {
				err = addItems(files, values, source.ConfigMap.Items, source.ConfigMap.Optional, defaultMode)
			}
		case source.Secret != nil:
			var values map[string][]byte
			if values, err = p.secret(ctx, source.Secret.Name, source.Secret.Optional); err == nil {
				err = addItems(files, values, source.Secret.Items, source.Secret.Optional, defaultMode)
			}
		case source.DownwardAPI != nil:
			err = p.addFields(files, source.DownwardAPI.Items, defaultMode)
		case source.ServiceAccountToken != nil:
			var token []byte
			token, err = p.token(ctx, source.ServiceAccountToken)
			files[source.ServiceAccountToken.Path] = file{token, 0o600}
		default:
			err = fmt.Errorf("a projected source of this kind is not supported in the rehearsal")
		}
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func addItems(files map[string]file, values map[string][]byte, items []v1.KeyToPath, optional *bool, mode os.FileMode) error {
	if len(items) == 0 {
		for key, value := range values {
			files[key] = file{value, mode}
		}
	}
	for _, item := range items {
		value, found := values[item.Key]
		if !found {
			if isTrue(optional) {
				continue
			}
			return fmt.Errorf("no key %q", item.Key)
		}
		files[item.Path] = file{value, modeOf(item.Mode, mode)}
	}
	return nil
}

func (p *pod) addFields(files map[string]file, items []v1.DownwardAPIVolumeFile, mode os.FileMode) error {
	for _, item := range items {
		if item.FieldRef == nil {
			return fmt.Errorf("%s: only fieldRef is supported in the rehearsal's volumes", item.Path)
		}
		value, err := p.field(item.FieldRef.FieldPath)
		if err != nil {
			return err
		}
		files[item.Path] = file{[]byte(value), modeOf(item.Mode, mode)}
	}
	return nil
}

func modeOf(own *int32, otherwise os.FileMode) os.FileMode {
	if own != nil {
		return os.FileMode(*own)
	}
	return otherwise
}

type issuedToken struct {
	text    []byte
	renewAt time.Time
}

// token returns the pod's projected token for an audience, renewed after four fifths of its life, as a kubelet does.
func (p *pod) token(ctx context.Context, projection *v1.ServiceAccountTokenProjection) ([]byte, error) {
	if have, found := p.tokens[projection.Path]; found && time.Now().Before(have.renewAt) {
		return have.text, nil
	}
	pod := p.latest()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: projection.ExpirationSeconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}
	if projection.Audience != "" {
		request.Spec.Audiences = []string{projection.Audience}
	}
	answer, err := p.kubelet.client.CoreV1().ServiceAccounts(p.namespace).CreateToken(ctx, pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	issued := issuedToken{[]byte(answer.Status.Token), time.Now().Add(time.Until(answer.Status.ExpirationTimestamp.Time) * 4 / 5)}
	p.tokens[projection.Path] = issued
	return issued.text, nil
}

// writeFiles makes the directory contain these files, changing only what differs; each file is replaced at once.
func writeFiles(directory string, files map[string]file) error {
	err := filepath.WalkDir(directory, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(directory, path)
		if _, wanted := files[name]; wanted {
			return nil
		}
		return os.Remove(path)
	})
	if err != nil {
		return err
	}
	for name, wanted := range files {
		path := filepath.Join(directory, name)
		if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, wanted.content) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path+".new", wanted.content, 0o600); err != nil {
			return err
		}
		// Others than this user have no business here, whatever the pod says.
		if err := os.Chmod(path+".new", wanted.mode&0o700); err != nil {
			return err
		}
		if err := os.Rename(path+".new", path); err != nil {
			return err
		}
	}
	return nil
}

// mount shows the pod's volumes at their mount paths below the pod's directory. All containers of a pod share it, so
// that one path cannot be two volumes.
func (p *pod) mount() error {
	targets := map[string]string{}
	pod := p.latest()
	for _, container := range append(append([]v1.Container{}, pod.Spec.InitContainers...), pod.Spec.Containers...) {
		for _, mount := range container.VolumeMounts {
			path := filepath.Join(p.root, mount.MountPath)
			target := filepath.Join(p.volumes[mount.Name], mount.SubPath)
			if _, err := os.Stat(target); mount.SubPath != "" && err != nil {
				if err := os.MkdirAll(target, 0o700); err != nil {
					return err
				}
			}
			if have, taken := targets[path]; taken && have != target {
				if p.isolated {
					continue // each container's own root shows its own
				}
				return fmt.Errorf("two volumes are mounted at %s; the rehearsal can show one", mount.MountPath)
			}
			targets[path] = target
		}
	}
	var paths []string
	for path := range targets {
		paths = append(paths, path)
	}
	// A mount inside another one comes after it.
	sort.Strings(paths)
	for _, path := range paths {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		_ = os.Remove(path)
		if err := os.Symlink(targets[path], path); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(p.root, "tmp"), 0o700)
}
