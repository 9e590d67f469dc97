package control

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/key"
)

func testServer() *Server {
	s := &Server{config: &Config{AuthKey: "right", Domain: "mesh.test"}}
	s.nodes = newNodes(s.config)
	s.control = &testcontrol.Server{Logf: func(string, ...any) {}, ExplicitBaseURL: "http://127.0.0.1"}
	return s
}

// register is the answer to a node that registers, and whether the test server was asked.
func register(t *testing.T, s *Server, request tailcfg.RegisterRequest) (answer tailcfg.RegisterResponse, asked bool) {
	t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.register(w, httptest.NewRequest(http.MethodPost, "/machine/register", strings.NewReader(string(body))),
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	if !asked {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
	}
	return answer, asked
}

func TestAStrangerWithoutTheKeyIsRefused(t *testing.T) {
	s := testServer()
	request := tailcfg.RegisterRequest{NodeKey: key.NewNode().Public(), Auth: &tailcfg.RegisterResponseAuth{AuthKey: "wrong"}}
	if answer, asked := register(t, s, request); asked || !strings.Contains(answer.Error, "invalid key") {
		t.Errorf("asked %v, answer %+v", asked, answer)
	}
	request.Auth.AuthKey = "right"
	if _, asked := register(t, s, request); !asked {
		t.Error("one with the key is refused too")
	}
}

func TestANodeThatWasLetInBeforeNeedsNoKey(t *testing.T) {
	s := testServer()
	s.control.AddFakeNode()
	known := s.control.AllNodes()[0].Key
	if _, asked := register(t, s, tailcfg.RegisterRequest{NodeKey: known}); !asked {
		t.Error("it is refused")
	}
}

func TestTheTestServersMultiplexerIsWhereThisPackageLooksForIt(t *testing.T) {
	testServer().intercept() // panics when it is not
}

func TestPathsThatNoNodeAsksForAreNotFound(t *testing.T) {
	w := httptest.NewRecorder()
	testServer().serve(w, httptest.NewRequest(http.MethodGet, "/favicon.ico", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("answer %d", w.Code)
	}
}
