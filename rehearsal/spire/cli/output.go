package cli

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"agentweave-mesh/rehearsal/spire/federation"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// output is the value of -output: "pretty" or "json".
type output struct{ json bool }

func outputFlag(set *flag.FlagSet) *output {
	o := &output{}
	set.Func("output", "Desired output format (pretty, json); default: pretty.", func(value string) error {
		switch value {
		case "pretty", "json":
			o.json = value == "json"
			return nil
		default:
			return fmt.Errorf("bad formatter flag: unknown format option: %q", value)
		}
	})
	return o
}

// print writes a message as JSON, or leaves it to pretty. Only pretty turns a failed item into an
// error: with JSON the caller is to read the status of each item.
func (o *output) print(env Env, message proto.Message, pretty func() error) error {
	if !o.json {
		return pretty()
	}
	data, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(message)
	if err != nil {
		return err
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	return json.NewEncoder(env.Out).Encode(withoutNulls(value))
}

// withoutNulls takes out the nulls that protojson writes for messages that are not there.
func withoutNulls(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if inner == nil {
				delete(v, key)
			} else {
				v[key] = withoutNulls(inner)
			}
		}
	case []any:
		for i, inner := range v {
			v[i] = withoutNulls(inner)
		}
	}
	return value
}

func failed(s *types.Status) bool { return s.Code != int32(codes.OK) }

// reason is how a failed item is told of.
func reason(s *types.Status) string {
	return fmt.Sprintf("(code: %s, msg: %q)", codes.Code(s.Code), s.Message)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func formatFlag(set *flag.FlagSet) *string {
	return set.String("format", "pem", `The format of the bundle data. Either "pem" or "spiffe".`)
}

func checkFormat(format string) (string, error) {
	switch lower := strings.ToLower(format); lower {
	case "", "pem":
		return "pem", nil
	case "spiffe":
		return lower, nil
	default:
		return "", fmt.Errorf("invalid format: %q", lower)
	}
}

func printBundle(w io.Writer, bundle *types.Bundle, format string) error {
	format, err := checkFormat(format)
	if err != nil {
		return err
	}
	if format == "pem" {
		for _, authority := range bundle.X509Authorities {
			if err := pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: authority.Asn1}); err != nil {
				return err
			}
		}
		return nil
	}
	b, err := federation.FromProto(bundle)
	if err != nil {
		return err
	}
	document, err := b.Marshal()
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, document, "", "    "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, indented.String())
	return err
}

func parseBundle(data []byte, format, trustDomain string) (*types.Bundle, error) {
	if format == "pem" {
		bundle := &types.Bundle{TrustDomain: trustDomain}
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" {
				bundle.X509Authorities = append(bundle.X509Authorities, &types.X509Certificate{Asn1: block.Bytes})
			}
		}
		if len(bundle.X509Authorities) == 0 {
			return nil, errors.New("unable to parse bundle data: no PEM blocks")
		}
		return bundle, nil
	}
	td, err := spiffeid.TrustDomainFromString(trustDomain)
	if err != nil {
		return nil, err
	}
	b, err := spiffebundle.Parse(td, data)
	if err != nil {
		return nil, fmt.Errorf("unable to parse to spiffe bundle: %w", err)
	}
	return federation.ToProto(b)
}

// readInput reads a file, or standard input where the path is the given stand-in for it.
func readInput(env Env, path, stdin string) ([]byte, error) {
	if path == stdin {
		return io.ReadAll(env.In)
	}
	return os.ReadFile(path)
}
