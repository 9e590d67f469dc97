package kubelet

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	v1 "k8s.io/api/core/v1"
)

// translation turns what a container would read into what its local process reads. It is the one difference between
// the two, and it is made in ConfigMap texts, arguments, environment variables and exec commands:
//
//   - A mount path, at a path boundary, loses its leading slash (/run/spire/data → run/spire/data): the process's
//     working directory is the pod's directory, which plays the container's root. Relative paths also keep unix sockets
//     below their limit of some 100 bytes.
//   - After a scheme, where no relative path can be written, it is found through the working directory of whoever reads it
//     (unix:///run/x.sock → unix:///proc/self/cwd/run/x.sock), for the same reason; without /proc, it is the full path.
//   - 0.0.0.0 becomes the pod's own address, because all pods share the network of this machine.
//   - kubernetes.default.svc, of https, becomes the API server's address and port, and the name of any other Service,
//     <service>.<namespace>.svc or with .cluster.local, the Service's address: those names exist in clusters only.
//
// Where pods have networks of their own and containers roots of their own, only the last one is needed.
type translation struct {
	// apiServer is the API server's address and port.
	root, address, apiServer string
	// service is the address of a Service; empty when it has none.
	service func(namespace, name string) string
	// mounts are the pod's mount paths, longest first.
	mounts []string
	// ownNetwork leaves 0.0.0.0 as it is.
	ownNetwork bool
}

var (
	apiServerName = regexp.MustCompile(`(^|[^\w.-])kubernetes\.default\.svc(\.cluster\.local)?(:443)?\b`)
	anyAddress    = regexp.MustCompile(`(^|[^0-9.])0\.0\.0\.0\b`)
	// Names are matched as a whole, so that svc.example.org and a pod's own name below a Service stay what they are.
	hostName    = regexp.MustCompile(`[\w.-]+\.svc[\w.-]*`)
	serviceName = regexp.MustCompile(`^([a-z0-9-]+)\.([a-z0-9-]+)\.svc(\.cluster\.local)?\.?$`)
)

func newTranslation(pod *v1.Pod, t translation) translation {
	for _, container := range append(slices.Clone(pod.Spec.InitContainers), pod.Spec.Containers...) {
		for _, mount := range container.VolumeMounts {
			if path := filepath.Clean(mount.MountPath); path != "/" && !slices.Contains(t.mounts, path) {
				t.mounts = append(t.mounts, path)
			}
		}
	}
	slices.SortFunc(t.mounts, func(a, b string) int { return len(b) - len(a) })
	return t
}

// forSandbox is the translation for containers that have roots of their own. A pod on its node's network shares that with
// others, and so listens on its own address there.
func (t translation) forSandbox(hostNetwork bool) translation {
	t.mounts, t.ownNetwork = nil, !hostNetwork
	return t
}

func (t translation) text(text string) string {
	text = apiServerName.ReplaceAllString(text, "${1}"+t.apiServer)
	text = hostName.ReplaceAllStringFunc(text, t.host)
	if !t.ownNetwork {
		text = anyAddress.ReplaceAllString(text, "${1}"+t.address)
	}
	var translated strings.Builder
	for len(text) > 0 {
		at, path := t.next(text)
		if path == "" {
			translated.WriteString(text)
			break
		}
		translated.WriteString(text[:at])
		if strings.HasSuffix(text[:at], "://") {
			translated.WriteString(t.root + path)
		} else {
			translated.WriteString(path[1:])
		}
		text = text[at+len(path):]
		// What follows belongs to the same path, up to its end.
		end := strings.IndexFunc(text, func(r rune) bool { return !inPath(r) && r != '/' })
		if end < 0 {
			end = len(text)
		}
		translated.WriteString(text[:end])
		text = text[end:]
	}
	return translated.String()
}

// host translates a host name that may be a Service's.
func (t translation) host(name string) string {
	if parts := serviceName.FindStringSubmatch(name); parts != nil {
		if address := t.service(parts[2], parts[1]); address != "" {
			return address
		}
	}
	return name
}

// next finds the first mount path in a text.
func (t translation) next(text string) (int, string) {
	for i, r := range text {
		if r != '/' || (i > 0 && !strings.HasSuffix(text[:i], "://") && (inPath(rune(text[i-1])) || text[i-1] == '/')) {
			continue
		}
		for _, path := range t.mounts {
			if rest, found := strings.CutPrefix(text[i:], path); found && (rest == "" || !inPath(rune(rest[0]))) {
				return i, path
			}
		}
	}
	return 0, ""
}

func inPath(r rune) bool {
	return r == '_' || r == '.' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

func (t translation) texts(texts []string) []string {
	translated := make([]string, len(texts))
	for i, text := range texts {
		translated[i] = t.text(text)
	}
	return translated
}
