package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"agentweave-mesh/rehearsal/spire/store"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

type entries struct {
	entryv1.UnimplementedEntryServer
	*Service
}

func (s *entries) GetEntry(_ context.Context, request *entryv1.GetEntryRequest) (*types.Entry, error) {
	if request.Id == "" {
		return nil, invalid("missing ID")
	}
	e := s.Store.Read().Entry(request.Id)
	if e == nil {
		return nil, status.Error(codes.NotFound, "entry not found")
	}
	return e, nil
}

func (s *entries) BatchCreateEntry(_ context.Context, request *entryv1.BatchCreateEntryRequest) (*entryv1.BatchCreateEntryResponse, error) {
	response := &entryv1.BatchCreateEntryResponse{}
	for _, given := range request.Entries {
		entry, st := s.create(given)
		response.Results = append(response.Results, &entryv1.BatchCreateEntryResponse_Result{Status: st, Entry: entry})
	}
	return response, nil
}

func (s *entries) create(given *types.Entry) (*types.Entry, *types.Status) {
	e, err := s.checkEntry(given)
	if err != nil {
		return nil, result(invalid("%v", err), codes.InvalidArgument, "failed to convert entry")
	}
	var similar *types.Entry
	err = s.Store.Update(func(state *store.State) error {
		i := slices.IndexFunc(state.Entries, func(known *types.Entry) bool {
			return known.SpiffeId.Path == e.SpiffeId.Path && known.ParentId.Path == e.ParentId.Path && sameSelectors(known, e)
		})
		if i >= 0 {
			similar = state.Entries[i]
			return nil
		}
		if e.Id == "" {
			e.Id = newID()
		} else if state.Entry(e.Id) != nil {
			return status.Error(codes.AlreadyExists, "datastore-sql: UNIQUE constraint failed: registered_entries.entry_id")
		}
		if err := bundlesExist(state, e); err != nil {
			return err
		}
		e.CreatedAt = time.Now().Unix()
		state.Entries = append(state.Entries, e)
		return nil
	})
	if err != nil {
		return nil, result(err, codes.Internal, "failed to create entry")
	}
	if similar != nil {
		return similar, &types.Status{Code: int32(codes.AlreadyExists), Message: "similar entry already exists"}
	}
	return e, result(nil, codes.OK, "")
}

func (s *entries) BatchUpdateEntry(_ context.Context, request *entryv1.BatchUpdateEntryRequest) (*entryv1.BatchUpdateEntryResponse, error) {
	if request.InputMask != nil {
		return nil, status.Error(codes.Unimplemented, "the stand-in has no input mask")
	}
	response := &entryv1.BatchUpdateEntryResponse{}
	for _, given := range request.Entries {
		entry, st := s.update(given)
		response.Results = append(response.Results, &entryv1.BatchUpdateEntryResponse_Result{Status: st, Entry: entry})
	}
	return response, nil
}

func (s *entries) update(given *types.Entry) (*types.Entry, *types.Status) {
	e, err := s.checkEntry(given)
	if err != nil {
		return nil, result(invalid("%v", err), codes.InvalidArgument, "failed to convert entry")
	}
	err = s.Store.Update(func(state *store.State) error {
		i := slices.IndexFunc(state.Entries, func(known *types.Entry) bool { return known.Id == e.Id })
		if i < 0 {
			return status.Error(codes.NotFound, "datastore-sql: record not found")
		}
		if err := bundlesExist(state, e); err != nil {
			return err
		}
		e.CreatedAt, e.RevisionNumber = state.Entries[i].CreatedAt, state.Entries[i].RevisionNumber+1
		state.Entries[i] = e
		return nil
	})
	if err != nil {
		return nil, result(err, codes.Internal, "failed to update entry")
	}
	return e, result(nil, codes.OK, "")
}

func (s *entries) BatchDeleteEntry(_ context.Context, request *entryv1.BatchDeleteEntryRequest) (*entryv1.BatchDeleteEntryResponse, error) {
	response := &entryv1.BatchDeleteEntryResponse{}
	for _, id := range request.Ids {
		err := s.Store.Update(func(state *store.State) error {
			e := state.Entry(id)
			switch {
			case id == "":
				return invalid("missing entry ID")
			case e == nil:
				return status.Error(codes.NotFound, "entry not found")
			}
			state.Entries = slices.DeleteFunc(state.Entries, func(other *types.Entry) bool { return other == e })
			return nil
		})
		response.Results = append(response.Results, &entryv1.BatchDeleteEntryResponse_Result{Status: result(err, codes.Internal, ""), Id: id})
	}
	return response, nil
}

// bundlesExist refuses an entry that federates with a trust domain whose bundle is not stored.
func bundlesExist(state *store.State, e *types.Entry) error {
	for _, name := range e.FederatesWith {
		if state.Bundle(name) == nil {
			return fmt.Errorf("unable to find federated bundle %q", "spiffe://"+name)
		}
	}
	return nil
}

// checkEntry returns a copy of an entry with checked ids and trust domain names in their short form.
func (s *entries) checkEntry(given *types.Entry) (*types.Entry, error) {
	if given == nil {
		return nil, errors.New("missing entry")
	}
	if _, err := memberID(s.TrustDomain, given.ParentId, "member of"); err != nil {
		return nil, fmt.Errorf("invalid parent ID: %w", err)
	}
	if _, err := workloadID(s.TrustDomain, given.SpiffeId); err != nil {
		return nil, fmt.Errorf("invalid spiffe ID: %w", err)
	}
	e := proto.Clone(given).(*types.Entry)
	for i, name := range e.FederatesWith {
		td, err := spiffeid.TrustDomainFromString(name)
		if err != nil {
			return nil, fmt.Errorf("invalid federated trust domain: %w", err)
		}
		e.FederatesWith[i] = td.Name()
	}
	slices.Sort(e.FederatesWith)
	e.FederatesWith = slices.Compact(e.FederatesWith)
	if len(e.Selectors) == 0 {
		return nil, errors.New("selector list is empty")
	}
	for _, selector := range e.Selectors {
		switch {
		case selector.Type == "":
			return nil, errors.New("missing selector type")
		case strings.Contains(selector.Type, ":"):
			return nil, errors.New("selector type contains ':'")
		case selector.Value == "":
			return nil, errors.New("missing selector value")
		}
	}
	return e, nil
}

func workloadID(td spiffeid.TrustDomain, p *types.SPIFFEID) (spiffeid.ID, error) {
	id, err := memberID(td, p, "workload in")
	if err == nil && (id.Path() == "/spire" || strings.HasPrefix(id.Path(), "/spire/")) {
		err = fmt.Errorf("%q is not a workload in trust domain %q; path is in the reserved namespace", id, td)
	}
	return id, err
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])                      // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // a UUID of version 4 (RFC 9562)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
