package sandbox

import (
	"os"
	"path/filepath"
	"strings"
)

// node is a directory of the root on the way to binds, or the place of a bind.
type node struct {
	bind     *Bind
	children map[string]*node
}

// tree arranges binds by their targets. Symbolic links of this machine on the way are followed (/var/run is /run on
// many), because the links are in the sandbox too.
func tree(binds []Bind) *node {
	root := &node{children: map[string]*node{}}
	for _, bind := range binds {
		at := root
		for _, name := range strings.Split(strings.Trim(resolve(bind.Target), "/"), "/") {
			if at.children[name] == nil {
				at.children[name] = &node{children: map[string]*node{}}
			}
			at = at.children[name]
		}
		at.bind = &bind
	}
	return root
}

// resolve follows the symbolic links of the part of a path that exists.
func resolve(path string) string {
	path = filepath.Clean(path)
	if path == "/" {
		return path
	}
	if _, err := os.Lstat(path); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return real
		}
	}
	return filepath.Join(resolve(filepath.Dir(path)), filepath.Base(path))
}
