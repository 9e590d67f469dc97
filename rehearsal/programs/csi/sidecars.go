// As csi-node-driver-registrar and livenessprobe: what tells the kubelet of a CSI driver, and whether it is well.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"path/filepath"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

func runRegistrar(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("csi-node-driver-registrar", flag.ExitOnError)
	address := flags.String("csi-address", "/run/csi/socket", "socket of the CSI driver")
	directory := flags.String("plugin-registration-path", "/registration", "directory that the kubelet watches for plugins")
	endpoint := flags.String("kubelet-registration-path", "", "socket of the CSI driver, as the kubelet sees it")
	health := flags.String("http-endpoint", "", "address of /healthz (default: none)")
	_ = flags.Parse(args)
	if *endpoint == "" {
		return errors.New("--kubelet-registration-path is required")
	}

	plugin, err := ask(*address, func(driver *grpc.ClientConn) (*csi.GetPluginInfoResponse, error) {
		return csi.NewIdentityClient(driver).GetPluginInfo(ctx, &csi.GetPluginInfoRequest{}, grpc.WaitForReady(true))
	})
	if ctx.Err() != nil {
		return nil // Told to stop while waiting for the driver.
	}
	if err != nil {
		return fmt.Errorf("ask the driver for its name: %w", err)
	}

	serving, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	socket := filepath.Join(*directory, plugin.GetName()+"-reg.sock")
	if *health != "" {
		go func() {
			fail(serveHealth(serving, *health, func(ctx context.Context) error { return checkRegistrar(ctx, socket, plugin.GetName()) }))
		}()
	}
	err = serveSocket(serving, socket, func(server *grpc.Server) {
		registration.RegisterRegistrationServer(server, &registrar{name: plugin.GetName(), endpoint: *endpoint, fail: fail})
	})
	if ctx.Err() != nil {
		return err
	}
	return errors.Join(err, context.Cause(serving))
}

// checkRegistrar asks as the kubelet would: a socket that was removed, or is another's, is unhealthy, and a restart makes it anew.
func checkRegistrar(ctx context.Context, socket, name string) error {
	info, err := ask(socket, func(registrar *grpc.ClientConn) (*registration.PluginInfo, error) {
		return registration.NewRegistrationClient(registrar).GetInfo(ctx, &registration.InfoRequest{})
	})
	if err == nil && info.GetName() != name {
		err = fmt.Errorf("%s registers %q, not %q", socket, info.GetName(), name)
	}
	return err
}

type registrar struct {
	registration.UnimplementedRegistrationServer

	name, endpoint string
	fail           context.CancelCauseFunc
}

func (r *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: r.name, Endpoint: r.endpoint, SupportedVersions: []string{"1.0.0"},
	}, nil
}

// NotifyRegistrationStatus ends the registrar when the kubelet could not register the driver: it tries again when the socket is made anew.
func (r *registrar) NotifyRegistrationStatus(
	_ context.Context, outcome *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	if outcome.GetPluginRegistered() {
		log.Printf("the kubelet registered %s", r.name)
	} else {
		r.fail(fmt.Errorf("the kubelet did not register %s: %s", r.name, outcome.GetError()))
	}
	return &registration.RegistrationStatusResponse{}, nil
}

func runLivenessProbe(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("livenessprobe", flag.ExitOnError)
	address := flags.String("csi-address", "/run/csi/socket", "socket of the CSI driver")
	health := flags.String("http-endpoint", ":9808", "address of /healthz")
	_ = flags.Parse(args)
	return serveHealth(ctx, *health, func(ctx context.Context) error { return checkDriver(ctx, *address) })
}

func checkDriver(ctx context.Context, address string) error {
	answer, err := ask(address, func(driver *grpc.ClientConn) (*csi.ProbeResponse, error) {
		return csi.NewIdentityClient(driver).Probe(ctx, &csi.ProbeRequest{})
	})
	if err == nil && answer.GetReady() != nil && !answer.GetReady().GetValue() {
		err = errors.New("the driver is not ready")
	}
	return err
}
