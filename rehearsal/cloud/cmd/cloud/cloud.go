package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/informers"

	"agentweave-mesh/rehearsal/cloud/internal/config"
	"agentweave-mesh/rehearsal/cloud/internal/controlplane"
	"agentweave-mesh/rehearsal/cloud/internal/egress"
	"agentweave-mesh/rehearsal/cloud/internal/kubelet"
	"agentweave-mesh/rehearsal/cloud/internal/network"
	"agentweave-mesh/rehearsal/cloud/internal/services"
	"agentweave-mesh/rehearsal/cloud/internal/simulation"
	"agentweave-mesh/rehearsal/cloud/internal/storage"
)

// cloud is what runs; stop also works on one that has started in part.
type cloud struct {
	// network is nil when the cloud has none of its own.
	network      *network.Cloud
	controlPlane *controlplane.ControlPlane
	kubelet      *kubelet.Kubelet
	cancel       context.CancelFunc
	controllers  sync.WaitGroup
}

func start(ctx context.Context, c *config.Config) (*cloud, error) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	all := &cloud{cancel: cancel}
	stages := filepath.Join(c.Dir, "kwok.yaml")
	if err := simulation.WriteStages(c, stages); err != nil {
		return all, err
	}
	var err error
	if all.network, err = join(c); err != nil {
		return all, err
	}
	if err := egress.Serve(running, c, config.EgressSocket); err != nil {
		return all, &controlplane.Failure{What: "egress", Err: err}
	}
	if all.controlPlane, err = controlplane.Start(ctx, c, stages, reporter{}); err != nil {
		return all, err
	}
	client := all.controlPlane.Client
	if err := errors.Join(simulation.EnsureNodes(ctx, client, c), storage.EnsureClass(ctx, client)); err != nil {
		return all, err
	}

	factory := informers.NewSharedInformerFactory(client, 0)
	addresses, err := services.New(ctx, c, client, factory)
	if err != nil {
		return all, err
	}
	if all.kubelet, err = kubelet.New(c, client, factory, addresses.Address, all.network); err != nil {
		return all, err
	}
	pki := all.controlPlane.PKI
	if err := all.kubelet.Serve(running, kubelet.Credentials{
		CA: pki.Cert("ca"), Cert: pki.Cert("kubelet"), Key: pki.Key("kubelet"), ClientName: controlplane.KubeletClientName,
	}); err != nil {
		return all, &controlplane.Failure{What: "kubelet", Err: err}
	}
	factory.Start(running.Done())
	limited, done := context.WithTimeout(ctx, controlplane.WaitLimit)
	factory.WaitForCacheSync(limited.Done())
	done()
	all.controllers.Go(func() {
		addresses.Run(running, func(what string, err error) {
			emit(event{Event: "warning", What: "Service " + what, Error: err.Error()})
		})
	})
	all.controllers.Go(func() { storage.Run(running, client, filepath.Join(c.Dir, "volumes")) })

	err = all.controlPlane.Wait(ctx, "nodes", c.Address, func(ctx context.Context) error {
		return simulation.Ready(ctx, client, c)
	})
	if err == nil {
		all.controlPlane.Settled()
	}
	return all, err
}

func (all *cloud) stop() {
	if all.kubelet != nil {
		all.kubelet.Stop()
	}
	all.cancel()
	stopped := make(chan struct{})
	go func() {
		all.controllers.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(5 * time.Second):
	}
	if all.controlPlane != nil {
		all.controlPlane.Stop()
	}
	if all.network != nil {
		all.network.Leave()
	}
}
