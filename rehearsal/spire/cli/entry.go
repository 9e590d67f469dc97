package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
)

func entryCreate(c *call) (answer, error) {
	given, err := readEntries(c.flag("data"))
	if err != nil {
		return answer{}, err
	}
	reply, a, err := ask(c, "", entryv1.NewEntryClient(c.conn).BatchCreateEntry, &entryv1.BatchCreateEntryRequest{Entries: given})
	for i, r := range reply.GetResults() {
		if r.Status.Code != int32(codes.OK) {
			r.Entry = given[i]
		}
	}
	return many(a, reply.GetResults(), given, "create", "entry", "entries"), err
}

func entryUpdate(c *call) (answer, error) {
	given, err := readEntries(c.flag("data"))
	if err != nil {
		return answer{}, err
	}
	reply, a, err := ask(c, "", entryv1.NewEntryClient(c.conn).BatchUpdateEntry, &entryv1.BatchUpdateEntryRequest{Entries: given})
	for i, r := range reply.GetResults() {
		if r.Status.Code != int32(codes.OK) {
			r.Entry = given[i]
		}
	}
	return many(a, reply.GetResults(), given, "update", "entry", "entries"), err
}

func entryShow(c *call) (answer, error) {
	client := entryv1.NewEntryClient(c.conn)
	id, spiffeID := c.flag("entryID"), c.flag("spiffeID")
	switch {
	case id != "" && spiffeID != "":
		return answer{}, errors.New("the -entryID flag can't be combined with others")
	case id != "":
		e, _, err := ask(c, "error fetching entry ID "+id, client.GetEntry, &entryv1.GetEntryRequest{Id: id})
		if err != nil {
			return answer{}, err
		}
		return shown([]*types.Entry{e}), nil
	}
	request := &entryv1.ListEntriesRequest{}
	if spiffeID != "" {
		wanted, err := parseID(spiffeID)
		if err != nil {
			return answer{}, fmt.Errorf("error parsing SPIFFE ID %q: %w", spiffeID, err)
		}
		request.Filter = &entryv1.ListEntriesRequest_Filter{BySpiffeId: wanted}
	}
	reply, _, err := ask(c, "error fetching entries", client.ListEntries, request)
	return shown(reply.GetEntries()), err
}

func entryCount(c *call) (answer, error) {
	_, a, err := ask(c, "", entryv1.NewEntryClient(c.conn).CountEntries, &entryv1.CountEntriesRequest{})
	return a, err
}

func entryDelete(c *call) (answer, error) {
	reply, a, err := ask(c, "", entryv1.NewEntryClient(c.conn).BatchDeleteEntry, &entryv1.BatchDeleteEntryRequest{Ids: []string{c.flag("entryID")}})
	if s := reply.GetResults(); err == nil && s[0].Status.Code != int32(codes.OK) {
		a.details = fmt.Sprintf("Failed to delete entry with ID %s (code: %s, msg: %q)\n", s[0].Id, codes.Code(s[0].Status.Code), s[0].Status.Message)
		a.failed = errors.New("failed to delete one or more entries")
	}
	return a, err
}

// readEntries reads the JSON of -data. Its names are those of SPIRE's older message
// spire.common.RegistrationEntry, in which ids are texts.
func readEntries(path string) ([]*types.Entry, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	var document struct {
		Entries []map[string]any
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	var all []*types.Entry
	for _, item := range document.Entries {
		e, err := parseEntry(item)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func parseEntry(item map[string]any) (*types.Entry, error) {
	id, err := parseID(item["spiffe_id"])
	if err != nil {
		return nil, fmt.Errorf("invalid SPIFFE ID: %w", err)
	}
	parent, err := parseID(item["parent_id"])
	if err != nil {
		return nil, fmt.Errorf("invalid parent ID: %w", err)
	}
	item["id"], item["expires_at"] = item["entry_id"], item["entryExpiry"]
	for _, key := range []string{"spiffe_id", "parent_id", "entry_id", "entryExpiry"} {
		delete(item, key)
	}
	data, err := json.Marshal(item)
	if err != nil {
		return nil, err
	}
	e := &types.Entry{}
	if err := protojson.Unmarshal(data, e); err != nil {
		return nil, err
	}
	e.SpiffeId, e.ParentId = id, parent
	for i, name := range e.FederatesWith {
		td, err := spiffeid.TrustDomainFromString(name)
		if err != nil {
			return nil, fmt.Errorf("invalid federated trust domain: %w", err)
		}
		e.FederatesWith[i] = td.Name()
	}
	return e, nil
}

func parseID(value any) (*types.SPIFFEID, error) {
	text, _ := value.(string)
	id, err := spiffeid.FromString(text)
	return &types.SPIFFEID{TrustDomain: id.TrustDomain().Name(), Path: id.Path()}, err
}

// read reads a file, or standard input where the path is "-" or empty.
func read(path string) ([]byte, error) {
	if path == "-" || path == "" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(path)
}
