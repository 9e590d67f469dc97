package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// enterRoot builds the sandbox's root and makes it the calling thread's.
func enterRoot(spec Spec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", spec.Staging, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mounting a root: %w", err)
	}
	// A bind of a directory that contains the staging one must not contain what is built there.
	if err := unix.Mount("", spec.Staging, "", unix.MS_UNBINDABLE, ""); err != nil {
		return fmt.Errorf("mounting a root: %w", err)
	}
	if err := build("/", spec.Staging, tree(spec.Binds)); err != nil {
		return err
	}
	// See pivot_root(2): the former root ends up on top of the new one and is then taken away.
	if err := unix.Chdir(spec.Staging); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the former root: %w", err)
	}
	return nil
}

// build fills a directory of the new root with what leads to binds, and with the rest of a directory of this machine;
// of none when that is empty.
func build(machine, target string, n *node) error {
	if n.bind != nil {
		machine = "" // inside a bind, only binds are added
		if err := show(n.bind.Source, target, n.bind.ReadOnly); err != nil {
			return err
		}
	} else if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := showRest(machine, target, n); err != nil {
		return err
	}
	for name, child := range n.children {
		below := ""
		if machine != "" {
			below = filepath.Join(machine, name)
		}
		if err := build(below, filepath.Join(target, name), child); err != nil {
			return err
		}
	}
	return nil
}

// showRest shows what is in a directory of this machine and not on the way to a bind.
func showRest(machine, target string, n *node) error {
	if machine == "" {
		return nil
	}
	entries, err := os.ReadDir(machine)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		return err
	}
	for _, entry := range entries {
		if n.children[entry.Name()] != nil {
			continue
		}
		from, to := filepath.Join(machine, entry.Name()), filepath.Join(target, entry.Name())
		if entry.Type()&os.ModeSymlink != 0 {
			err = copyLink(from, to)
		} else {
			err = show(from, to, false)
		}
		// It may have gone since, or be somebody else's.
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) {
			return err
		}
	}
	return nil
}

func copyLink(from, to string) error {
	destination, err := os.Readlink(from)
	if err != nil {
		return err
	}
	return os.Symlink(destination, to)
}

// show mounts a file or directory, with all that is mounted below it.
func show(source, target string, readOnly bool) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(target, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(target), 0o755); err == nil {
		var file *os.File
		if file, err = os.OpenFile(target, os.O_CREATE|os.O_RDONLY, 0o644); err == nil {
			file.Close()
		}
	}
	if err == nil {
		err = unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, "")
	}
	if err == nil && readOnly {
		err = unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	}
	if err != nil {
		return fmt.Errorf("showing %s: %w", source, err)
	}
	return nil
}
