package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// This program is also the one that becomes a container's.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Flag {
		fmt.Fprintln(os.Stderr, "container:", Enter(os.Args[2:]))
		os.Exit(ExitNotStarted)
	}
	os.Exit(m.Run())
}

// state is what a pod of the tests has on this machine.
type state struct {
	t   *testing.T
	dir string
}

func newState(t *testing.T) state {
	t.Helper()
	if text, err := exec.Command("unshare", "-rn", "true").CombinedOutput(); err != nil {
		t.Skipf("skipped: no namespaces here: %v: %s", err, strings.TrimSpace(string(text)))
	}
	s := state{t, t.TempDir()}
	for _, name := range []string{"root", "pod", "volume", "tmp"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s state) file(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run runs a shell script in a sandbox that has the state's directory, an own /tmp and these binds.
func (s state) run(script string, binds ...Bind) (string, error) {
	s.t.Helper()
	shell, err := exec.LookPath("bash")
	if err != nil {
		s.t.Skip("skipped: no bash here")
	}
	binds = append([]Bind{
		{Target: "/tmp", Source: filepath.Join(s.dir, "tmp")}, {Target: s.dir, Source: s.dir},
		{Target: "/no-such/bin/tool", Source: shell, ReadOnly: true},
	}, binds...)
	spec := Spec{Hostname: "pod-0", Dir: filepath.Join(s.dir, "pod"), Staging: filepath.Join(s.dir, "root"), Binds: binds}
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		s.t.Fatal(err)
	}
	inner, err := Command(self, spec, []string{"/no-such/bin/tool", "-c", script})
	if err != nil {
		s.t.Fatal(err)
	}
	output, err := exec.Command("unshare", append([]string{"-rn", "--"}, inner.Args...)...).CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

func (s state) expect(want, script string, binds ...Bind) {
	s.t.Helper()
	if got, err := s.run(script, binds...); err != nil || got != want {
		s.t.Errorf("%s gave %q (%v), want %q", script, got, err, want)
	}
}

func TestAContainerSeesItsVolumesAtTheirPathsAndTheRestOfTheMachine(t *testing.T) {
	s := newState(t)
	s.file("volume/token", "t")
	volume := Bind{Target: "/var/run/secrets/no-such/serviceaccount", Source: filepath.Join(s.dir, "volume")}
	s.expect("t", "cat /var/run/secrets/no-such/serviceaccount/token", volume)
	s.expect("pod-0", "cat /proc/sys/kernel/hostname", volume)
	s.expect(filepath.Join(s.dir, "pod"), "pwd -P")
	own, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Skip("skipped: no /etc/passwd here")
	}
	s.expect(strings.TrimSpace(string(own)), "cat /etc/passwd", Bind{Target: "/etc/no-such", Source: filepath.Join(s.dir, "volume")})
}

func TestWhatAContainerWritesStaysInItsOwnPlaces(t *testing.T) {
	s := newState(t)
	s.expect("", "echo x > /tmp/a; echo y > /no-such/b; mkdir /no-such-too")
	if text, _ := os.ReadFile(filepath.Join(s.dir, "tmp/a")); string(text) != "x\n" {
		t.Errorf("/tmp/a has %q", text)
	}
	for _, path := range []string{"/no-such", "/no-such-too"} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is on this machine", path)
		}
	}
	if entries, _ := os.ReadDir(filepath.Join(s.dir, "root")); len(entries) != 0 {
		t.Errorf("the staging directory has %v", entries)
	}
}

func TestAReadOnlyVolumeCannotBeWritten(t *testing.T) {
	s := newState(t)
	output, err := s.run("echo x > /no-such/volume/a", Bind{Target: "/no-such/volume", Source: filepath.Join(s.dir, "volume"), ReadOnly: true})
	if err == nil || !strings.Contains(output, "Read-only") {
		t.Errorf("%s (%v)", output, err)
	}
}

func TestAVolumeInsideAVolumeShowsNothingElseOfTheMachineThere(t *testing.T) {
	s := newState(t)
	s.file("volume/a", "a")
	s.expect("own\nssl\nvolume\na", "ls /etc; ls /etc/ssl; cat /etc/ssl/volume/a",
		Bind{Target: "/etc", Source: filepath.Join(s.dir, "pod")},
		Bind{Target: "/etc/own", Source: filepath.Join(s.dir, "tmp")},
		Bind{Target: "/etc/ssl/volume", Source: filepath.Join(s.dir, "volume")})
}

func TestAProgramThatIsNotThereEndsLikeOneThatCouldNotBeStarted(t *testing.T) {
	s := newState(t)
	output, err := s.run("true", Bind{Target: "/no-such/bin/tool", Source: filepath.Join(s.dir, "volume")})
	if exit := (&exec.ExitError{}); !errors.As(err, &exit) || exit.ExitCode() != ExitNotStarted || !strings.Contains(output, "/no-such/bin/tool") {
		t.Errorf("%s (%v)", output, err)
	}
}
