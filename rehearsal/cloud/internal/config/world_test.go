package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// load reads the configuration of a cloud with an address and a place in the world.
func load(t *testing.T, address string, world *World) error {
	t.Helper()
	text, err := json.Marshal(Config{
		Name: "aws", Address: address, Dir: "/d", Nodes: 1, PodCIDR: "10.20.0.0/16", ServiceCIDR: "10.21.0.0/16", World: world,
		Binaries: Binaries{"/x", "/x", "/x", "/x", "/x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cloud.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Load(file)
	return err
}

func TestACloudInTheWorldHasTheAddressOfItsNumber(t *testing.T) {
	if err := load(t, "10.201.7.1", &World{Dir: "/w", Index: 7}); err != nil {
		t.Error(err)
	}
	if err := load(t, "127.0.11.1", nil); err != nil {
		t.Error(err)
	}
	for want, err := range map[string]error{
		"want 10.201.7.1": load(t, "10.201.8.1", &World{Dir: "/w", Index: 7}),
		"world.index 0":   load(t, "10.201.8.1", &World{Dir: "/w"}),
		"world.index 201": load(t, "10.201.201.1", &World{Dir: "/w", Index: 201}),
		"world.dir \"w\"": load(t, "10.201.7.1", &World{Dir: "w", Index: 7}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
