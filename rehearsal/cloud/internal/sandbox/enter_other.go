//go:build !linux

package sandbox

import "errors"

// Enter becomes the container's program, or returns why not.
func Enter([]string) error { return errors.New("sandboxes need Linux") }
