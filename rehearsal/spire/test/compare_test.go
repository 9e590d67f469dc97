package test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTheStandInAnswersEveryCommandAsItMust(t *testing.T) {
	runScript(t, standIn, standIn)
}

func TestTheStandInAnswersEveryCommandAsTheRealServerDoes(t *testing.T) {
	binary := realServer(t)
	mine, real := runScript(t, standIn, standIn), runScript(t, binary, binary)
	if len(mine.answers) != len(real.answers) {
		t.Fatalf("%d answers against %d", len(mine.answers), len(real.answers))
	}
	for i := range real.answers {
		want, got := real.normal(real.answers[i]), mine.normal(mine.answers[i])
		if got != want {
			t.Errorf("the real server:\n%s\n\nthe stand-in:\n%s\n", want, got)
		}
	}
}

func TestTheRealCommandLineDrivesTheStandIn(t *testing.T) {
	runScript(t, standIn, realServer(t))
}

func TestTheStandInsCommandLineDrivesTheRealServer(t *testing.T) {
	runScript(t, realServer(t), standIn)
}

func TestTheStandInAndTheRealServerFederateBothWays(t *testing.T) {
	mine, real := newCloud(t, standIn, "a.example.org"), newCloud(t, realServer(t), "b.example.org")
	mine.start()
	real.start()
	mine.federateWith(real)
	real.federateWith(mine)
	for _, peers := range [][2]*cloud{{mine, real}, {real, mine}} {
		peers[0].must("", "localauthority", "x509", "prepare")
		peers[1].must("", "federation", "refresh", "-id", peers[0].id())
		if kept := peers[1].must("", "bundle", "list", "-id", peers[0].id(), "-format", "pem"); kept != peers[0].must("", "bundle", "show", "-format", "pem") {
			t.Errorf("%s keeps another bundle of %s than it has", peers[1].domain, peers[0].domain)
		}
	}
}

// onEveryServer runs a test with the stand-in, and with the real server where there is one.
func onEveryServer(t *testing.T, test func(*testing.T, string)) {
	t.Run("the stand-in", func(t *testing.T) { test(t, standIn) })
	t.Run("the real server", func(t *testing.T) { test(t, realServer(t)) })
}

func realServer(t *testing.T) string {
	t.Helper()
	binary := os.Getenv("SPIRE_SERVER")
	if binary == "" {
		t.Skip("SPIRE_SERVER names no real spire-server: nothing to compare with")
	}
	return binary
}

// Whatever differs between two runs of the same server has to go before two servers are compared.
var varying = []struct{ pattern, name string }{
	{`(?s)-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----`, "<PEM>"},
	{`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`, "<uuid>"},
	{`\b[0-9a-f]{40}\b`, "<authority>"},
	{`[A-Za-z0-9+/=_-]{32,}`, "<data>"},
	{`"\d{10}"`, `"<time>"`},
	{`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC`, "<time>"},
	{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "<time>"},
	{`127\.0\.41\.1:\d{2,5}`, "<endpoint>"},
}

// For a reader the stand-in prints many answers in a form of its own; only its errors are SPIRE's there.
var ownForm = regexp.MustCompile(`^(entry (create|update|count|delete)|federation (create|update|show|list)|localauthority) `)

func (s *script) normal(a answer) answer {
	if ownForm.MatchString(a.command) && !strings.Contains(a.command, "-output json") {
		a.stdout, a.stderr = "", strings.Join(regexp.MustCompile(`(?m)^(Error|Failed).*`).FindAllString(a.stderr, -1), "\n")
	}
	a.stdout, a.stderr = normalText(a.stdout), normalText(a.stderr)
	for _, text := range []*string{&a.command, &a.stdout, &a.stderr} {
		*text = strings.ReplaceAll(*text, s.a.directory, "<directory>")
		for _, v := range varying {
			*text = regexp.MustCompile(v.pattern).ReplaceAllString(*text, v.name)
		}
	}
	return a
}

// normalText sorts the keys of JSON objects and takes out the layout of JSON, which is nobody's business,
// and log lines on standard error, which are not part of the answer.
func normalText(text string) string {
	var value any
	if json.Unmarshal([]byte(text), &value) == nil {
		if out, err := json.Marshal(withoutKeyIDs(value)); err == nil {
			return string(out)
		}
	}
	lines := strings.Split(regexp.MustCompile(`(?m)^time=.*\n`).ReplaceAllString(text, ""), "\n")
	return strings.Join(slices.Compact(lines), "\n") // SPIRE says some notes twice
}

// withoutKeyIDs hides the id of JWT keys: a server may name its keys as it likes.
func withoutKeyIDs(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if key == "kid" || key == "key_id" {
				v[key] = "<key id>"
			} else {
				v[key] = withoutKeyIDs(inner)
			}
		}
	case []any:
		for i, inner := range v {
			v[i] = withoutKeyIDs(inner)
		}
	}
	return value
}
