// As spiffe-csi-driver: a volume is the directory of the agent's socket, bind-mounted where the kubelet wants it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"sync"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func runDriver(ctx context.Context, args []string) error {
	var d driver
	flags := flag.NewFlagSet("spiffe-csi-driver", flag.ExitOnError)
	flags.StringVar(&d.socketDir, "workload-api-socket-dir", "", "directory of the agent's socket")
	flags.StringVar(&d.name, "plugin-name", "csi.spiffe.io", "name of the CSI driver")
	flags.StringVar(&d.nodeID, "node-id", os.Getenv("MY_NODE_NAME"), "name of the node (default: $MY_NODE_NAME)")
	socket := flags.String("csi-socket-path", "/spiffe-csi/csi.sock", "socket to serve CSI on")
	_ = flags.Parse(args)
	if d.socketDir == "" || d.nodeID == "" {
		return errors.New("-workload-api-socket-dir and -node-id (or MY_NODE_NAME) are required")
	}
	return serveSocket(ctx, *socket, func(server *grpc.Server) {
		csi.RegisterIdentityServer(server, &d)
		csi.RegisterNodeServer(server, &d)
	})
}

// driver leaves the calls that are not below unimplemented, and says so by having no capability.
type driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer

	name, nodeID, socketDir string
	// mounting is held from looking at a target until it is as asked.
	mounting sync.Mutex
}

func (d *driver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: d.name, VendorVersion: "stand-in"}, nil
}

func (d *driver) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{}, nil
}

func (d *driver) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

func (d *driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: d.nodeID}, nil
}

func (d *driver) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}

func (d *driver) NodePublishVolume(_ context.Context, req *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	if refusal := refusePublish(req); refusal != "" {
		return nil, status.Error(codes.InvalidArgument, refusal)
	}
	d.mounting.Lock()
	defer d.mounting.Unlock()
	if err := d.mount(req.GetTargetPath()); err != nil {
		return nil, status.Errorf(codes.Internal, "mount %s: %v", req.GetTargetPath(), err)
	}
	log.Printf("published %s", req.GetTargetPath())
	return &csi.NodePublishVolumeResponse{}, nil
}

// refusePublish says what is wrong with a request, by the rules of SPIFFE's driver.
func refusePublish(req *csi.NodePublishVolumeRequest) string {
	capability := req.GetVolumeCapability()
	mount := capability.GetMount()
	switch {
	case req.GetVolumeId() == "":
		return "the request has no volume id"
	case req.GetTargetPath() == "":
		return "the request has no target path"
	case capability == nil:
		return "the request has no volume capability"
	case capability.GetAccessType() == nil:
		return "the volume capability has no access type"
	case mount == nil || mount.GetFsType() != "" || len(mount.GetMountFlags()) != 0:
		return "the access type must be a mount without type of file system and flags"
	case capability.GetAccessMode() == nil:
		return "the volume capability has no access mode"
	case capability.GetAccessMode().GetMode() == csi.VolumeCapability_AccessMode_SINGLE_NODE_READER_ONLY:
		return "the access mode must not be SINGLE_NODE_READER_ONLY"
	case !req.GetReadonly():
		return "the volume must be read-only: set readOnly of the pod's spec.volumes[].csi to true"
	case req.GetVolumeContext()["csi.storage.k8s.io/ephemeral"] != "true":
		return "the volume must be ephemeral: a pod's spec.volumes[].csi, not a PersistentVolume"
	}
	return ""
}

func (d *driver) NodeUnpublishVolume(_ context.Context, req *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	switch {
	case req.GetVolumeId() == "":
		return nil, status.Error(codes.InvalidArgument, "the request has no volume id")
	case req.GetTargetPath() == "":
		return nil, status.Error(codes.InvalidArgument, "the request has no target path")
	}
	d.mounting.Lock()
	defer d.mounting.Unlock()
	if err := unmount(req.GetTargetPath()); err != nil {
		return nil, status.Errorf(codes.Internal, "unmount %s: %v", req.GetTargetPath(), err)
	}
	log.Printf("unpublished %s", req.GetTargetPath())
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// mount makes the target the socket's directory, read-only; one that is already is left alone.
func (d *driver) mount(target string) error {
	if err := os.Mkdir(target, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	want, err := os.Stat(d.socketDir)
	if err != nil {
		return err
	}
	if have, err := os.Stat(target); err != nil || os.SameFile(want, have) {
		return err
	}
	// Read-only before it is anywhere: a mount's flags go with it to the node when it is made (Bidirectional), not when they change later.
	tree, err := unix.OpenTree(unix.AT_FDCWD, d.socketDir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open_tree %s: %w", d.socketDir, err)
	}
	defer unix.Close(tree)
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	return os.NewSyscallError("move_mount", unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH))
}

// unmount removes the target with all that is mounted on it; one that is gone, or was never mounted, is as good.
func unmount(target string) error {
	for {
		err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			break // Not, or no longer, a mount point.
		}
		if err != nil {
			return err
		}
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
