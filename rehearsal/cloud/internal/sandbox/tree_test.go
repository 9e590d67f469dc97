package sandbox

import (
	"os"
	"path/filepath"
	"testing"
)

func TestBindsAreArrangedByTheirPathsAndTheLastOfSeveralAtOneCounts(t *testing.T) {
	root := tree([]Bind{{Target: "/no-such/a", Source: "/1"}, {Target: "/no-such/a/b/c", Source: "/2"}, {Target: "/no-such/a/", Source: "/3"}})
	above := root.children["no-such"]
	if above == nil || above.bind != nil {
		t.Fatalf("/no-such is %+v", above)
	}
	if a := above.children["a"]; a.bind == nil || a.bind.Source != "/3" {
		t.Errorf("/no-such/a is %+v", a)
	}
	if c := above.children["a"].children["b"].children["c"]; c.bind == nil || c.bind.Source != "/2" {
		t.Errorf("/no-such/a/b/c is %+v", c)
	}
}

func TestLinksOnTheWayToABindAreFollowed(t *testing.T) {
	directory, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(directory, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("run", filepath.Join(directory, "link")); err != nil {
		t.Fatal(err)
	}
	if got, want := resolve(filepath.Join(directory, "link/not/yet")), filepath.Join(directory, "run/not/yet"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
