package kubelet

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAVolumesFilesBecomeWhatItsSourceSays(t *testing.T) {
	directory := t.TempDir()
	write := func(files map[string]file) {
		t.Helper()
		if err := writeFiles(directory, files); err != nil {
			t.Fatal(err)
		}
	}
	write(map[string]file{"a": {[]byte("one"), 0o644}, "deep/b": {[]byte("two"), 0o755}, "old": {nil, 0o644}})
	before, err := os.Stat(filepath.Join(directory, "a"))
	if err != nil {
		t.Fatal(err)
	}
	write(map[string]file{"a": {[]byte("one"), 0o644}, "deep/b": {[]byte("three"), 0o755}})

	if after, _ := os.Stat(filepath.Join(directory, "a")); !os.SameFile(before, after) {
		t.Error("an unchanged file was replaced")
	}
	if text, _ := os.ReadFile(filepath.Join(directory, "deep/b")); string(text) != "three" {
		t.Errorf("the changed file has %q", text)
	}
	if info, _ := os.Stat(filepath.Join(directory, "deep/b")); info.Mode() != 0o700 {
		t.Errorf("the file's mode is %s; nobody else may read it", info.Mode())
	}
	if _, err := os.Stat(filepath.Join(directory, "old")); !os.IsNotExist(err) {
		t.Error("a file that is gone from the source is still there")
	}
}
