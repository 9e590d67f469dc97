package control

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
)

// serveMap answers a node's map request. One that streams is told of every change for as long as it lasts, and its node
// is online as long; any other one says what is new about its node.
func (s *Server) serveMap(ctx context.Context, w testcontrol.MapStreamWriter, request *tailcfg.MapRequest) {
	if !request.Stream {
		if !request.ReadOnly && ctx.Err() == nil {
			s.update(request)
		}
		_ = w.SendMapMessage(&tailcfg.MapResponse{})
		return
	}
	node := s.control.Node(request.NodeKey)
	if node == nil {
		return // a node of an earlier life of this server
	}
	changed, leave := s.nodes.join(node)
	defer leave()
	for {
		response, err := s.response(request)
		if err != nil || response == nil || w.SendMapMessage(response) != nil {
			return
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case _, open := <-changed:
				if !open {
					return // the node has begun another stream
				}
				waiting = false
			case <-time.After(keepAlive):
				if w.SendMapMessage(&tailcfg.MapResponse{KeepAlive: true}) != nil {
					return
				}
			}
		}
	}
}

// update takes over what a node says of itself.
func (s *Server) update(request *tailcfg.MapRequest) {
	node := s.control.Node(request.NodeKey)
	if node == nil {
		return
	}
	node.Endpoints = slices.DeleteFunc(slices.Clone(request.Endpoints), func(endpoint netip.AddrPort) bool {
		return endpoint.Addr().Is6()
	})
	node.DiscoKey = request.DiscoKey
	node.Cap = request.Version
	if info := request.Hostinfo; info != nil {
		node.Hostinfo = info.View()
		if info.NetInfo != nil && info.NetInfo.PreferredDERP != 0 {
			node.HomeDERP = info.NetInfo.PreferredDERP
		}
	}
	s.control.UpdateNode(node)
	s.nodes.changed(node)
}

// response is the tailnet as one node sees it: the test server's answer, with what this package knows better.
func (s *Server) response(request *tailcfg.MapRequest) (*tailcfg.MapResponse, error) {
	response, err := s.control.MapResponse(request)
	if err != nil || response == nil {
		return nil, err
	}
	view := s.nodes.view()
	self := response.Node
	view.dress(self)
	self.Online = nil
	response.Peers = slices.DeleteFunc(response.Peers, func(peer *tailcfg.Node) bool { return !view.known(peer.Key) })
	for _, peer := range response.Peers {
		view.dress(peer)
	}
	response.Domain = s.config.Domain
	response.DNSConfig = &tailcfg.DNSConfig{
		Proxied:      true,
		Domains:      []string{s.config.Domain},
		Routes:       nil,
		ExtraRecords: view.globals(self.Key),
	}
	response.PacketFilter = view.filter(self)
	response.ControlTime = nil
	return response, nil
}
