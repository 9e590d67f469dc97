package test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// script sends the same commands to a binary, whichever it is, checks what each must answer, and returns the answers.
type script struct {
	t       *testing.T
	a, b    *cloud
	answers []answer
}

// expect runs a command on cloud a; its exit code must be this one and its output must contain the text.
func (s *script) expect(exit int, text, stdin string, args ...string) string {
	s.t.Helper()
	got := s.a.do(stdin, args...)
	if got.exit != exit || !strings.Contains(got.stdout+got.stderr, text) {
		s.t.Errorf("want exit %d and %q, got\n%s", exit, text, got)
	}
	s.answers = append(s.answers, got)
	return got.stdout
}

func runScript(t *testing.T, server, client string) *script {
	s := &script{t: t, a: newCloud(t, server, "a.example.org"), b: newCloud(t, server, "b.example.org")}
	s.a.client, s.b.client = client, client
	s.a.start()
	s.b.start()
	s.expect(0, "Server is healthy.", "", "healthcheck")
	s.bundles()
	s.relationships()
	s.entries()
	s.deletions()
	s.authorities()
	s.minting()
	s.configurations()
	return s
}

func (s *script) bundles() {
	own := s.expect(0, `"use": "x509-svid"`, "", "bundle", "show", "-format", "spiffe")
	s.expect(0, `"trust_domain":"a.example.org"`, "", "bundle", "show", "-output", "json")
	s.expect(0, "BEGIN CERTIFICATE", "", "bundle", "show")
	s.expect(1, `invalid format: "der"`, "", "bundle", "show", "-format", "der")
	s.expect(0, "own trust domain is not allowed", own, "bundle", "set", "-id", s.a.id(), "-format", "spiffe", "-output", "json")
	s.expect(1, "own trust domain is not allowed", own, "bundle", "set", "-id", s.a.id(), "-format", "spiffe")
	s.expect(1, "own trust domain is not allowed", "", "bundle", "list", "-id", s.a.id())
	s.expect(1, "bundle not found", "", "bundle", "list", "-id", s.b.id(), "-format", "spiffe")
	s.expect(1, "id flag is required", own, "bundle", "set", "-format", "spiffe")
	s.expect(1, "unable to parse", "{", "bundle", "set", "-id", s.b.id(), "-format", "spiffe")
	s.expect(1, "unable to parse", "no pem", "bundle", "set", "-id", s.b.id())
	s.expect(0, "bundle set.", own, "bundle", "set", "-id", "spiffe://c.example.org", "-format", "spiffe")
	s.expect(0, `"trust_domain":"c.example.org"`, "", "bundle", "list", "-output", "json")
	s.expect(0, `"code":0`, "", "bundle", "delete", "-id", "spiffe://c.example.org", "-output", "json")
	s.expect(1, "unsupported mode", "", "bundle", "delete", "-id", s.b.id(), "-mode", "all")
	s.expect(0, "not allowed", "", "bundle", "delete", "-id", s.a.id(), "-output", "json")
}

func (s *script) relationships() {
	create := []string{"federation", "create", "-data", "-", "-output", "json"}
	bundleA, bundleB := s.a.must("", "bundle", "show", "-format", "spiffe"), s.b.must("", "bundle", "show", "-format", "spiffe")
	serverB := s.b.id() + "/spire/server"
	s.expect(0, `"code":3`, s.a.relationship(bundleA), create...)
	s.expect(1, "unable to create federation relationship for server trust domain", s.a.relationship(bundleA), create[:4]...)
	s.expect(0, "must match the trust domain", relationship(s.b.domain, s.b.url(), "https_spiffe", "spiffe://c.example.org/spire/server", bundleB), create...)
	s.expect(0, "https scheme", relationship(s.b.domain, "http://"+address, "https_spiffe", serverB, bundleB), create...)
	s.expect(0, "must specify the host", relationship(s.b.domain, "https://", "https_spiffe", serverB, bundleB), create...)
	s.expect(0, "user info", relationship(s.b.domain, "https://u:p@"+address, "https_spiffe", serverB, bundleB), create...)
	s.expect(1, "unknown bundle endpoint profile type", relationship(s.b.domain, s.b.url(), "spiffe", serverB, bundleB), create...)
	s.expect(1, "endpoint SPIFFE ID is required", relationship(s.b.domain, s.b.url(), "https_spiffe", "", bundleB), create...)
	s.expect(1, "cannot parse bundle", relationship(s.b.domain, s.b.url(), "https_spiffe", serverB, `"text"`), create...)
	s.expect(1, "trust domain is required", `{"federationRelationships":[{}]}`, create...)
	s.expect(1, "failed to parse JSON", `{"federationRelationships":`, create...)
	s.expect(0, "record not found", s.b.relationship(bundleB), "federation", "update", "-data", "-", "-output", "json")
	s.expect(1, "does not exist", "", "federation", "show", "-trustDomain", s.b.domain)
	s.expect(1, "there is no federation relationship", "", "federation", "refresh", "-id", s.b.id())
	s.expect(0, `"federation_relationships":[]`, "", "federation", "list", "-output", "json")

	s.expect(0, `"code":0`, s.b.relationship(bundleB), create...)
	s.expect(0, "UNIQUE constraint failed", s.b.relationship(bundleB), create...)
	s.expect(1, "UNIQUE constraint failed", s.b.relationship(bundleB), create[:4]...)
	s.expect(0, "Bundle refreshed", "", "federation", "refresh", "-id", s.b.id())
	s.expect(0, `"message":"OK"`, "", "federation", "refresh", "-id", s.b.id(), "-output", "json")
	s.expect(0, serverB, "", "federation", "show", "-trustDomain", s.b.domain)
	s.expect(0, `"endpoint_spiffe_id"`, "", "federation", "show", "-trustDomain", s.b.domain, "-output", "json")
	s.expect(0, s.b.url(), "", "federation", "list", "-output", "json")
	s.expect(0, s.b.url(), "", "federation", "list")
	s.expect(0, `"spiffe_refresh_hint": 300`, "", "bundle", "list", "-id", s.b.id(), "-format", "spiffe")

	update := []string{"federation", "update", "-data", "-", "-output", "json"}
	s.expect(0, `"code":0`, relationship(s.b.domain, s.b.url(), "https_spiffe", s.b.id()+"/other", bundleB), update...)
	s.expect(1, "unexpected ID", "", "federation", "refresh", "-id", s.b.id())
	other := strings.ReplaceAll(bundleA, s.a.domain, s.b.domain)
	s.expect(0, `"code":0`, relationship(s.b.domain, s.b.url(), "https_spiffe", serverB, other), update...)
	s.expect(1, "certificate signed by unknown authority", "", "federation", "refresh", "-id", s.b.id())
	s.expect(0, `"code":0`, relationship(s.b.domain, "https://"+address+":1", "https_spiffe", serverB, bundleB), update...)
	s.expect(1, "connection refused", "", "federation", "refresh", "-id", s.b.id())
	s.expect(0, s.b.url(), s.b.relationship(bundleB), "federation", "update", "-data", "-")
	s.expect(0, "Bundle refreshed", "", "federation", "refresh", "-id", s.b.id())
}

// entryData is the JSON of -data for one entry of cloud a.
func entryData(entryID, spiffeID string, federatesWith ...string) string {
	return fmt.Sprintf(`{"entries":[{"entry_id":%q,"spiffe_id":%q,"parent_id":"spiffe://a.example.org/node","selectors":[{"type":"k8s","value":"ns:agents"},{"type":"k8s","value":"sa:agent"}],"federates_with":["%s"],"x509_svid_ttl":600}]}`,
		entryID, spiffeID, strings.Join(federatesWith, `","`))
}

func (s *script) entries() {
	create, update := []string{"entry", "create", "-data", "-", "-output", "json"}, []string{"entry", "update", "-data", "-", "-output", "json"}
	agent := s.a.id() + "/agent"
	created := s.expect(0, `"federates_with":["b.example.org"]`, entryData("", agent, s.b.id()), create...)
	s.expect(0, `"code":6`, entryData("", agent, s.b.id()), create...)
	s.expect(1, "similar entry already exists", entryData("", agent, s.b.id()), create[:4]...)
	s.expect(0, `"code":13`, entryData("", agent+"2", "spiffe://unknown.example.org"), create...)
	s.expect(1, "unable to find federated bundle", entryData("", agent+"2", "spiffe://unknown.example.org"), create[:4]...)
	s.expect(0, "not a member of trust domain", entryData("", s.b.id()+"/agent", s.b.id()), create...)
	s.expect(0, "reserved namespace", entryData("", s.a.id()+"/spire/agent/x", s.b.id()), create...)
	s.expect(0, "path is empty", entryData("", s.a.id(), s.b.id()), create...)
	s.expect(1, "scheme is missing or invalid", entryData("", "nonsense", s.b.id()), create...)
	s.expect(1, "invalid federated trust domain", entryData("", agent, "A b"), create...)
	s.expect(0, "selector list is empty", `{"entries":[{"spiffe_id":"spiffe://a.example.org/z","parent_id":"spiffe://a.example.org/node"}]}`, create...)
	s.expect(1, "scheme is missing or invalid", `{"entries":[{"spiffe_id":"z"}]}`, create...)
	s.expect(1, "unexpected end of JSON input", `{"entries":[`, create...)
	s.expect(0, `"code":0`, `{"entries":[{"spiffe_id":"spiffe://a.example.org/node","parent_id":"spiffe://a.example.org/spire/server","selectors":[{"type":"k8s_psat","value":"cluster:a"}]}]}`, create...)

	s.expect(0, "k8s_psat", "", "entry", "show", "-output", "json")
	s.expect(0, "/agent", "", "entry", "show")
	s.expect(0, `"count":2`, "", "entry", "count", "-output", "json")
	s.expect(1, "entry not found", "", "entry", "show", "-entryID", "unknown")
	s.shownBySpiffeID(agent)

	id := entryID(s.t, created)
	s.expect(0, "UNIQUE constraint failed", entryData(id, agent+"2", s.b.id()), create...)
	s.expect(0, `"code":5`, entryData("unknown", agent, s.b.id()), update...)
	s.expect(0, `"code":13`, entryData(id, agent, "unknown.example.org"), update...)
	s.expect(1, "failed to update one or more entries", entryData(id, agent, "unknown.example.org"), update[:4]...)
	s.expect(0, `"revision_number":"1"`, entryData(id, agent, s.b.domain), update...)
	s.expect(0, id, "", "entry", "show", "-entryID", id, "-output", "json")
	s.expect(0, `"code":5`, "", "entry", "delete", "-entryID", "unknown", "-output", "json")
	s.expect(1, "unknown", "", "entry", "delete", "-entryID", "unknown")
	s.expect(1, "an entry ID is required", "", "entry", "delete")
}

// shownBySpiffeID looks at the filter of `entry show`, and at its words for a reader.
func (s *script) shownBySpiffeID(agent string) {
	filter := func(id string, more ...string) []string {
		return append([]string{"entry", "show", "-spiffeID", id}, more...)
	}
	twin := entryID(s.t, s.expect(0, `"code":0`, strings.Replace(entryData("", agent, s.b.id()), "a.example.org/node", "a.example.org/a-node", 1), "entry", "create", "-data", "-", "-output", "json"))
	for _, text := range []string{
		"Found 2 entries\nEntry ID                : " + twin + "\nSPIFFE ID               : " + agent + "\nParent ID               : spiffe://a.example.org/a-node\nRevision                : 0\n",
		"X509-SVID TTL           : 600\nJWT-SVID TTL            : default\nSelector                : k8s:ns:agents\nSelector                : k8s:sa:agent\nFederatesWith           : b.example.org\n\n",
	} {
		s.expect(0, text, "", filter(agent)...)
	}
	if both := s.expect(0, `"path":"/agent"`, "", filter(agent, "-output", "json")...); strings.Contains(both, "k8s_psat") || strings.Count(both, `"spiffe_id"`) != 2 {
		s.t.Errorf("want the 2 entries of %s alone, got\n%s", agent, both)
	}
	s.expect(0, `"code":0`, "", "entry", "delete", "-entryID", twin, "-output", "json")
	s.expect(0, "Found 1 entry\n", "", filter(agent)...)
	s.expect(0, "Found 0 entries\n", "", filter(agent+"/none")...)
	s.expect(0, `"entries":[]`, "", filter(agent+"/none", "-output", "json")...)
	s.expect(1, "malformed SPIFFE ID filter", "", filter(s.b.id()+"/agent")...)
	s.expect(1, "reserved namespace", "", filter(s.a.id()+"/spire/agent/x")...)
	s.expect(1, `error parsing SPIFFE ID "nonsense": scheme is missing or invalid`, "", filter("nonsense")...)
	s.expect(1, "the -entryID flag can't be combined with others", "", filter(agent, "-entryID", twin)...)
}

func entryID(t *testing.T, output string) string {
	var created struct {
		Results []struct{ Entry struct{ ID string } }
	}
	if err := json.Unmarshal([]byte(output), &created); err != nil || len(created.Results) != 1 {
		t.Fatalf("not the answer to entry create: %v\n%s", err, output)
	}
	return created.Results[0].Entry.ID
}

func (s *script) deletions() {
	remove := []string{"bundle", "delete", "-id", s.b.id()}
	s.expect(0, "federated with 1 registration entries", "", append(remove, "-output", "json")...)
	s.expect(1, "federated with 1 registration entries", "", remove...)
	s.expect(0, "federation relationship deleted.", "", "federation", "delete", "-id", s.b.id())
	s.expect(0, `"code":5`, "", "federation", "delete", "-id", s.b.id(), "-output", "json")
	s.expect(1, "federation relationship not found", "", "federation", "delete", "-id", s.b.id())
	s.expect(0, "x509-svid", "", "bundle", "list", "-id", s.b.id(), "-format", "spiffe")
	s.expect(0, `"code":0`, "", append(remove, "-mode", "dissociate", "-output", "json")...)
	s.expect(0, `"federates_with":[]`, "", "entry", "show", "-output", "json")
	s.expect(0, `"code":5`, "", append(remove, "-mode", "dissociate", "-output", "json")...)
	s.expect(1, "bundle not found", "", remove...)
	bundleB := s.b.must("", "bundle", "show", "-format", "spiffe")
	s.expect(0, "bundle set.", bundleB, "bundle", "set", "-id", s.b.id(), "-format", "spiffe")
	gone := entryID(s.t, s.expect(0, `"code":0`, entryData("", s.a.id()+"/gone", s.b.id()), "entry", "create", "-data", "-", "-output", "json"))
	s.expect(0, "bundle deleted.", "", append(remove, "-mode", "delete")...)
	s.expect(1, "entry not found", "", "entry", "show", "-entryID", gone)
}

func (s *script) authorities() {
	local := func(verb string, more ...string) []string {
		return append([]string{"localauthority", "x509", verb}, more...)
	}
	state := func() (active, other string) {
		var ids struct {
			Active, Prepared, Old struct {
				ID string `json:"authority_id"`
			}
		}
		output := s.expect(0, "active", "", local("show", "-output", "json")...)
		if err := json.Unmarshal([]byte(output), &ids); err != nil {
			s.t.Fatal(err)
		}
		return ids.Active.ID, ids.Prepared.ID + ids.Old.ID
	}
	active, _ := state()
	s.expect(1, "unexpected authority ID", "", local("activate", "-authorityID", "unknown")...)
	s.expect(1, "an authority ID is required", "", local("activate")...)
	s.expect(0, `"prepared_authority"`, "", local("prepare", "-output", "json")...)
	_, prepared := state()
	s.expect(0, `"spiffe_sequence": 2`, "", "bundle", "show", "-format", "spiffe")
	s.expect(1, "unable to taint current local authority", "", local("taint", "-authorityID", active)...)
	s.expect(1, "only Old local authorities can be tainted", "", local("taint", "-authorityID", prepared)...)
	s.expect(1, "only Old local authority can be revoked", "", local("revoke", "-authorityID", prepared)...)
	s.expect(0, prepared, "", local("activate", "-authorityID", prepared)...)
	s.expect(1, "only Prepared authorities can be activated", "", local("activate", "-authorityID", active)...)
	s.expect(1, "not possible to revoke an untainted root CA", "", local("revoke", "-authorityID", active)...)
	s.expect(0, active, "", local("show")...)
	s.expect(0, active, "", local("taint", "-authorityID", active, "-output", "json")...)
	s.expect(1, "already tainted", "", local("taint", "-authorityID", active)...)
	s.expect(0, `"tainted":true`, "", "bundle", "show", "-output", "json")
	s.expect(0, active, "", local("revoke", "-authorityID", active, "-output", "json")...)
	s.expect(1, "no root CA found", "", local("revoke", "-authorityID", active)...)
	s.expect(0, `"spiffe_sequence": 4`, "", "bundle", "show", "-format", "spiffe")
}
