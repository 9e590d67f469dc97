package conf

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
)

type pluginBlock struct {
	Data    ast.Node `hcl:"plugin_data"`
	Enabled *bool    `hcl:"enabled"`
}

type pluginData struct {
	DatabaseType     ast.Node `hcl:"database_type"`
	ConnectionString string   `hcl:"connection_string"`
	KeysPath         string   `hcl:"keys_path"`
}

// PluginError refuses the configuration of one plugin, or of the plugins of one type.
type PluginError struct{ Plugin, Note string }

func (e *PluginError) Error() string { return e.Plugin + ": " + e.Note }

// readPlugins finds where SPIRE would keep its database and its keys, so that losing one of these
// files has the same effect here. It notes every plugin that is configured and does nothing here.
func (c *Config) readPlugins(node ast.Node) error {
	list, ok := node.(*ast.ObjectList)
	if !ok {
		return errors.New("plugins section must be configured")
	}
	count := map[string]int{}
	for _, item := range list.Items {
		if len(item.Keys) != 2 {
			return errors.New("failed to decode plugins config: a plugin block needs a type and a name")
		}
		kind, _ := item.Keys[0].Token.Value().(string)
		name, _ := item.Keys[1].Token.Value().(string)
		var block pluginBlock
		if err := hcl.DecodeObject(&block, item.Val); err != nil {
			return fmt.Errorf("failed to decode plugins config: %w", err)
		}
		if block.Enabled != nil && !*block.Enabled {
			continue
		}
		var data pluginData
		if block.Data != nil {
			if err := hcl.DecodeObject(&data, block.Data); err != nil {
				return fmt.Errorf("failed to decode plugins config: %w", err)
			}
		}
		count[kind]++
		switch plugin := kind + " " + name; plugin {
		case "DataStore sql":
			if err := c.setDatabase(block.Data, data); err != nil {
				return err
			}
		case "KeyManager disk":
			if data.KeysPath == "" {
				return &PluginError{`KeyManager "disk"`, "keys_path is required"}
			}
			c.KeysPath = data.KeysPath
		case "KeyManager memory":
		default:
			if kind == "UpstreamAuthority" {
				return fmt.Errorf("the stand-in has no UpstreamAuthority %q: its CA is always self-signed; run the real spire-server for this configuration", name)
			}
			c.IgnoredPlugins = append(c.IgnoredPlugins, plugin)
		}
	}
	for _, kind := range []string{"DataStore", "KeyManager"} {
		if count[kind] != 1 {
			return &PluginError{kind, fmt.Sprintf("constraint not satisfied: expected exactly 1 but got %d", count[kind])}
		}
	}
	return nil
}

func (c *Config) setDatabase(node ast.Node, data pluginData) error {
	// Postgres and MySQL may be a string or a block; only sqlite3 is a file that can be stood in for.
	var kind struct {
		Type string `hcl:"database_type"`
	}
	if node == nil || hcl.DecodeObject(&kind, node) != nil || kind.Type != "sqlite3" {
		return fmt.Errorf("the stand-in keeps its data in a file: database_type must be \"sqlite3\", not %q", kind.Type)
	}
	if data.ConnectionString == "" {
		return &PluginError{`DataStore "sql"`, "datastore-sql: connection_string must be set"}
	}
	c.DatabasePath = filepath.Clean(data.ConnectionString)
	return nil
}
