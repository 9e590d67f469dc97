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
	"google.golang.org/protobuf/reflect/protoreflect"
)

type entries struct {
	entryv1.UnimplementedEntryServer
	*Service
}

func (s *entries) ListEntries(_ context.Context, request *entryv1.ListEntriesRequest) (*entryv1.ListEntriesResponse, error) {
	if err := checkFilter(request.Filter, "by_spiffe_id"); err != nil {
		return nil, err
	}
	all := sorted(s.Store.Read().Entries)
	wanted := request.Filter.GetBySpiffeId()
	if wanted == nil {
		return &entryv1.ListEntriesResponse{Entries: all}, nil
	}
	if err := s.checkWorkloadID(wanted); err != nil {
		return nil, invalid("malformed SPIFFE ID filter: %v", err)
	}
	found := slices.DeleteFunc(all, func(e *types.Entry) bool { return !proto.Equal(e.SpiffeId, wanted) })
	return &entryv1.ListEntriesResponse{Entries: found}, nil
}

func (s *entries) CountEntries(_ context.Context, request *entryv1.CountEntriesRequest) (*entryv1.CountEntriesResponse, error) {
	if err := checkFilter(request.Filter); err != nil {
		return nil, err
	}
	return &entryv1.CountEntriesResponse{Count: int32(len(s.Store.Read().Entries))}, nil
}

// checkFilter refuses every filter but the known ones and downstream=false, which SPIRE's command line always sends and which chooses nothing.
func checkFilter(f proto.Message, known ...protoreflect.Name) (err error) {
	f.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		downstream := field.Name() == "by_downstream" && proto.Size(value.Message().Interface()) == 0
		if !downstream && !slices.Contains(known, field.Name()) {
			err = status.Errorf(codes.Unimplemented, "the stand-in has no filter %s of entries", field.Name())
		}
		return err == nil
	})
	return err
}

func (s *entries) GetEntry(_ context.Context, request *entryv1.GetEntryRequest) (*types.Entry, error) {
	if request.Id == "" {
		return nil, invalid("missing ID")
	}
	e := s.Store.Read().Entries[request.Id]
	if e == nil {
		return nil, status.Error(codes.NotFound, "entry not found")
	}
	return e, nil
}

func (s *entries) BatchCreateEntry(_ context.Context, request *entryv1.BatchCreateEntryRequest) (*entryv1.BatchCreateEntryResponse, error) {
	results := each(request.Entries, func(given *types.Entry) *entryv1.BatchCreateEntryResponse_Result {
		entry, err := s.create(given)
		return &entryv1.BatchCreateEntryResponse_Result{Status: result(err), Entry: entry}
	})
	return &entryv1.BatchCreateEntryResponse{Results: results}, nil
}

// create returns the entry, or with its error the similar one that there is already.
func (s *entries) create(given *types.Entry) (*types.Entry, error) {
	e, err := s.checkEntry(given)
	if err != nil {
		return nil, err
	}
	var similar *types.Entry
	err = s.Store.Update(func(state *store.State) error {
		for _, known := range state.Entries {
			if known.SpiffeId.Path == e.SpiffeId.Path && known.ParentId.Path == e.ParentId.Path && slices.Equal(selectors(known), selectors(e)) {
				similar = known
				return status.Error(codes.AlreadyExists, "similar entry already exists")
			}
		}
		if e.Id == "" {
			e.Id = newID()
		} else if state.Entries[e.Id] != nil {
			return status.Error(codes.AlreadyExists, "failed to create entry: datastore-sql: UNIQUE constraint failed: registered_entries.entry_id")
		}
		if err := bundlesExist(state, e); err != nil {
			return fmt.Errorf("failed to create entry: %w", err)
		}
		e.CreatedAt = time.Now().Unix()
		state.Entries[e.Id] = e
		return nil
	})
	if err != nil {
		return similar, err
	}
	return e, nil
}

// selectors returns the set of an entry's selectors in one form.
func selectors(e *types.Entry) []string {
	texts := each(e.Selectors, func(s *types.Selector) string { return s.Type + ":" + s.Value })
	slices.Sort(texts)
	return slices.Compact(texts)
}

func (s *entries) BatchUpdateEntry(_ context.Context, request *entryv1.BatchUpdateEntryRequest) (*entryv1.BatchUpdateEntryResponse, error) {
	if request.InputMask != nil {
		return nil, status.Error(codes.Unimplemented, "the stand-in has no input mask")
	}
	results := each(request.Entries, func(given *types.Entry) *entryv1.BatchUpdateEntryResponse_Result {
		entry, err := s.update(given)
		return &entryv1.BatchUpdateEntryResponse_Result{Status: result(err), Entry: entry}
	})
	return &entryv1.BatchUpdateEntryResponse{Results: results}, nil
}

func (s *entries) update(given *types.Entry) (*types.Entry, error) {
	e, err := s.checkEntry(given)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(func(state *store.State) error {
		known := state.Entries[e.Id]
		if known == nil {
			return status.Error(codes.NotFound, "failed to update entry")
		}
		if err := bundlesExist(state, e); err != nil {
			return fmt.Errorf("failed to update entry: %w", err)
		}
		e.CreatedAt, e.RevisionNumber = known.CreatedAt, known.RevisionNumber+1
		state.Entries[e.Id] = e
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (s *entries) BatchDeleteEntry(_ context.Context, request *entryv1.BatchDeleteEntryRequest) (*entryv1.BatchDeleteEntryResponse, error) {
	results := each(request.Ids, func(id string) *entryv1.BatchDeleteEntryResponse_Result {
		err := s.Store.Update(func(state *store.State) error {
			switch {
			case id == "":
				return invalid("missing entry ID")
			case state.Entries[id] == nil:
				return status.Error(codes.NotFound, "entry not found")
			}
			delete(state.Entries, id)
			return nil
		})
		return &entryv1.BatchDeleteEntryResponse_Result{Status: result(err), Id: id}
	})
	return &entryv1.BatchDeleteEntryResponse{Results: results}, nil
}

// bundlesExist refuses an entry that federates with a trust domain whose bundle is not stored.
func bundlesExist(state *store.State, e *types.Entry) error {
	for _, name := range e.FederatesWith {
		if state.Bundles[name] == nil {
			return fmt.Errorf("unable to find federated bundle %q", "spiffe://"+name)
		}
	}
	return nil
}

// checkEntry returns a copy of an entry with checked ids and trust domain names in their short form.
func (s *entries) checkEntry(given *types.Entry) (*types.Entry, error) {
	e := proto.Clone(given).(*types.Entry)
	if err := s.normalise(e); err != nil {
		return nil, invalid("failed to convert entry: %v", err)
	}
	return e, nil
}

func (s *entries) normalise(e *types.Entry) error {
	if _, err := s.memberID(e.ParentId, "member of"); err != nil {
		return fmt.Errorf("invalid parent ID: %w", err)
	}
	if err := s.checkWorkloadID(e.SpiffeId); err != nil {
		return fmt.Errorf("invalid spiffe ID: %w", err)
	}
	for i, name := range e.FederatesWith {
		td, err := spiffeid.TrustDomainFromString(name)
		if err != nil {
			return fmt.Errorf("invalid federated trust domain: %w", err)
		}
		e.FederatesWith[i] = td.Name()
	}
	slices.Sort(e.FederatesWith)
	e.FederatesWith = slices.Compact(e.FederatesWith)
	if len(e.Selectors) == 0 {
		return errors.New("selector list is empty")
	}
	for _, selector := range e.Selectors {
		switch {
		case selector.Type == "":
			return errors.New("missing selector type")
		case strings.Contains(selector.Type, ":"):
			return errors.New("selector type contains ':'")
		case selector.Value == "":
			return errors.New("missing selector value")
		}
	}
	return nil
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])                      // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // a UUID of version 4 (RFC 9562)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
