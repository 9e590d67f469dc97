// The three programs as processes of their own, asked over their sockets as the kubelet asks them.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// TestMain is the command itself when a test has started it under one of the command's names.
func TestMain(m *testing.M) {
	if _, known := programs[filepath.Base(os.Args[0])]; known {
		main()
		return
	}
	os.Exit(m.Run())
}

// start starts one of the programs, as root with mounts of its own. It is killed when the test ends, or after half a minute.
func start(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	command := exec.CommandContext(ctx, self)
	command.Args, command.Env, command.Stderr = args, append(os.Environ(), "MY_NODE_NAME=node-1"), t.Output()
	command.SysProcAttr = &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		command.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = command.Wait() })
	return command
}

// end ends a program with a signal, and gives its exit code.
func end(command *exec.Cmd, signal syscall.Signal) int {
	_ = command.Process.Signal(signal)
	_ = command.Wait()
	return command.ProcessState.ExitCode()
}

// startDriver starts the driver with the flags of the mesh's pod, on csi.sock in the directory, to mount the directory's agent/.
func startDriver(t *testing.T, directory string) *exec.Cmd {
	t.Helper()
	agent := filepath.Join(directory, "agent")
	if err := os.MkdirAll(agent, 0o755); err != nil {
		t.Fatal(err)
	}
	return start(t, "/spiffe-csi-driver", "-workload-api-socket-dir", agent, "-csi-socket-path", filepath.Join(directory, "csi.sock"))
}

// connect is for calls to a socket that may not be there yet, all of them within the context's deadline.
func connect(t *testing.T, socket string) (context.Context, *grpc.ClientConn) {
	t.Helper()
	connection, err := dial(socket, grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(func() { cancel(); _ = connection.Close() })
	return ctx, connection
}

// request is for a volume as the kubelet asks for a pod's.
func request(target string) *csi.NodePublishVolumeRequest {
	return &csi.NodePublishVolumeRequest{
		VolumeId:   "csi-1",
		TargetPath: target,
		Readonly:   true,
		VolumeCapability: &csi.VolumeCapability{
			AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{}},
			AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
		},
		VolumeContext: map[string]string{"csi.storage.k8s.io/ephemeral": "true", "csi.storage.k8s.io/pod.name": "agent-0"},
	}
}

func TestDriverRefusesVolumesThatAreNotReadOnlyEphemeralMounts(t *testing.T) {
	type publish = csi.NodePublishVolumeRequest
	directory := t.TempDir()
	startDriver(t, directory)
	ctx, connection := connect(t, filepath.Join(directory, "csi.sock"))

	for name, spoil := range map[string]func(*publish){
		"no volume id":         func(r *publish) { r.VolumeId = "" },
		"no target path":       func(r *publish) { r.TargetPath = "" },
		"no capability":        func(r *publish) { r.VolumeCapability = nil },
		"no access type":       func(r *publish) { r.VolumeCapability.AccessType = nil },
		"a block device":       func(r *publish) { r.VolumeCapability.AccessType = &csi.VolumeCapability_Block{} },
		"a file system's type": func(r *publish) { r.VolumeCapability.GetMount().FsType = "ext4" },
		"flags of a mount":     func(r *publish) { r.VolumeCapability.GetMount().MountFlags = []string{"suid"} },
		"no access mode":       func(r *publish) { r.VolumeCapability.AccessMode = nil },
		"an access mode to read": func(r *publish) {
			r.VolumeCapability.AccessMode.Mode = csi.VolumeCapability_AccessMode_SINGLE_NODE_READER_ONLY
		},
		"to be written":           func(r *publish) { r.Readonly = false },
		"persistent":              func(r *publish) { r.VolumeContext["csi.storage.k8s.io/ephemeral"] = "false" },
		"persistent, not said so": func(r *publish) { r.VolumeContext = nil },
	} {
		t.Run(name, func(t *testing.T) {
			target := filepath.Join(directory, "target")
			spoilt := request(target)
			spoil(spoilt)
			if _, err := csi.NewNodeClient(connection).NodePublishVolume(ctx, spoilt); status.Code(err) != codes.InvalidArgument {
				t.Errorf("got %v, want InvalidArgument", err)
			}
			if _, err := os.Lstat(target); !os.IsNotExist(err) {
				t.Errorf("the target was touched: %v", err)
			}
		})
	}
	for _, incomplete := range []*csi.NodeUnpublishVolumeRequest{{VolumeId: "csi-1"}, {TargetPath: directory}} {
		if _, err := csi.NewNodeClient(connection).NodeUnpublishVolume(ctx, incomplete); status.Code(err) != codes.InvalidArgument {
			t.Errorf("unpublish %v: got %v, want InvalidArgument", incomplete, err)
		}
	}
}

func TestDriverMountsTheSocketDirectoryReadOnlyAndTakesItAwayAgain(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may mount")
	}
	directory := t.TempDir()
	driver := startDriver(t, directory)
	ctx, connection := connect(t, filepath.Join(directory, "csi.sock"))
	node := csi.NewNodeClient(connection)
	target := filepath.Join(directory, "target")
	seen := fmt.Sprintf("/proc/%d/root%s", driver.Process.Pid, target) // Where the driver has mounts of its own.
	if err := os.WriteFile(filepath.Join(directory, "agent", "here"), nil, 0o600); err != nil {
		t.Fatal(err)
	}

	for range 2 { // The kubelet repeats a call whose answer it missed.
		if _, err := node.NodePublishVolume(ctx, request(target)); err != nil {
			t.Fatal(err)
		}
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", driver.Process.Pid))
	if times := strings.Count(string(mounts), " "+target+" "); err != nil || times != 1 {
		t.Errorf("mounted %d times (%v), want once", times, err)
	}
	if _, err := os.Stat(seen + "/here"); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(seen+"/new", nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Errorf("writing to the volume: got %v, want EROFS", err)
	}
	for range 2 {
		if _, err := node.NodeUnpublishVolume(ctx, &csi.NodeUnpublishVolumeRequest{VolumeId: "csi-1", TargetPath: target}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(seen); !os.IsNotExist(err) {
		t.Errorf("the target is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(directory, "agent", "here")); err != nil {
		t.Errorf("unpublishing touched the agent's directory: %v", err)
	}
}

func TestRegistrarAnswersTheKubeletAndSurvivesThatEachPartIsKilled(t *testing.T) {
	directory := t.TempDir()
	socket, health, port := filepath.Join(directory, "csi.spiffe.io-reg.sock"), freeAddress(t), freeAddress(t)
	startRegistrar := func() *exec.Cmd {
		return start(t, "/csi-node-driver-registrar", "--csi-address="+filepath.Join(directory, "csi.sock"),
			"--kubelet-registration-path=/var/lib/kubelet/plugins/csi.spiffe.io/csi.sock", "--http-endpoint="+health,
			"--plugin-registration-path="+directory)
	}
	registrar := startRegistrar() // Before its driver: it waits.
	start(t, "/livenessprobe", "--csi-address="+filepath.Join(directory, "csi.sock"), "--http-endpoint="+port)
	awaitHealth(t, port, http.StatusInternalServerError)
	driver := startDriver(t, directory)
	awaitHealth(t, port, http.StatusOK)
	ctx, connection := connect(t, socket)
	kubelet := registration.NewRegistrationClient(connection)

	want := &registration.PluginInfo{
		Type: "CSIPlugin", Name: "csi.spiffe.io", SupportedVersions: []string{"1.0.0"},
		Endpoint: "/var/lib/kubelet/plugins/csi.spiffe.io/csi.sock",
	}
	for range 2 {
		got, err := kubelet.GetInfo(ctx, &registration.InfoRequest{})
		if err != nil || !proto.Equal(got, want) {
			t.Fatalf("got %v (%v), want %v", got, err, want)
		}
		if _, err := kubelet.NotifyRegistrationStatus(ctx, &registration.RegistrationStatus{PluginRegistered: true}); err != nil {
			t.Fatal(err)
		}
		awaitHealth(t, health, http.StatusOK)

		for _, killed := range []*exec.Cmd{driver, registrar} { // Their sockets stay behind.
			end(killed, syscall.SIGKILL)
		}
		awaitHealth(t, port, http.StatusInternalServerError)
		driver, registrar = startDriver(t, directory), startRegistrar()
		awaitHealth(t, port, http.StatusOK)
	}

	if _, err := kubelet.NotifyRegistrationStatus(ctx, &registration.RegistrationStatus{Error: "no"}); err != nil {
		t.Fatal(err)
	}
	if code := end(registrar, 0); code != 1 {
		t.Errorf("the registrar that the kubelet refused ended with %d, want 1", code)
	}
	if code := end(driver, syscall.SIGTERM); code != 0 {
		t.Errorf("the driver that was told to stop ended with %d, want 0", code)
	}
	if left, _ := filepath.Glob(filepath.Join(directory, "*.sock")); len(left) > 0 {
		t.Errorf("sockets are left: %v", left)
	}
}

func TestDriverLeavesAFileAloneThatIsNotASocket(t *testing.T) {
	directory := t.TempDir()
	file := filepath.Join(directory, "csi.sock")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := end(startDriver(t, directory), 0); code != 1 {
		t.Errorf("the driver ended with %d, want 1", code)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "mine" {
		t.Errorf("the file is %q (%v)", got, err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// awaitHealth asks /healthz, as often as a kubelet does whose probes come quickly, until it answers so.
func awaitHealth(t *testing.T, address string, want int) {
	t.Helper()
	var got any
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		response, err := http.Get("http://" + address + "/healthz")
		if err != nil {
			got = err
			continue
		}
		response.Body.Close()
		if got = response.StatusCode; got == want {
			return
		}
	}
	t.Fatalf("/healthz of %s: got %v, want %d", address, got, want)
}
