package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"

	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// answer is what a command says.
type answer struct {
	message proto.Message
	// value takes the message's place where the answer is none of the API's messages. With neither, there is text alone.
	value any
	// failed is the error of an item. Only without -output json does it end the command, after details
	// on standard error: with it the caller is to read the status of each item.
	failed  error
	details string
	// text is printed instead of the message without -output json, where it is not empty.
	text string
}

// ask makes a request and answers with the reply; failing begins the error, if it is not empty.
func ask[Q any, R proto.Message](c *call, failing string, method func(context.Context, Q, ...grpc.CallOption) (R, error), request Q) (R, answer, error) {
	reply, err := method(c.ctx, request)
	if err != nil && failing != "" {
		err = fmt.Errorf("%s: %w", failing, err)
	}
	return reply, answer{message: reply}, err
}

func (a answer) print(w io.Writer, asJSON bool) error {
	switch {
	case asJSON && a.value != nil:
		return json.NewEncoder(w).Encode(a.value)
	case asJSON && a.message != nil:
		value, err := plain(a.message, "")
		if err != nil {
			return err
		}
		return json.NewEncoder(w).Encode(value)
	case a.failed != nil:
		fmt.Fprint(os.Stderr, a.details)
		return a.failed
	case a.text != "":
		_, err := io.WriteString(w, a.text)
		return err
	default:
		return pretty(w, a.message)
	}
}

// pretty writes a message for a reader: indented, without the long bundles of relationships.
func pretty(w io.Writer, message proto.Message) error {
	value, err := plain(message, "trust_domain_bundle")
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// plain is a message as SPIRE's command line has it in JSON: field names as in the API, empty fields
// present, messages that are not there left out.
func plain(message proto.Message, without string) (value any, err error) {
	data, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(message)
	if err == nil {
		err = json.Unmarshal(data, &value)
	}
	clean(value, without)
	return value, err
}

func clean(value any, without string) {
	switch v := value.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(key string, inner any) bool { return inner == nil || key == without })
		for _, inner := range v {
			clean(inner, without)
		}
	case []any:
		for _, inner := range v {
			clean(inner, without)
		}
	}
}

// one is the error of a batch of one.
func one(s *types.Status, failing string) error {
	if codes.Code(s.Code) == codes.OK {
		return nil
	}
	return fmt.Errorf("%s: %s", failing, s.Message)
}

// many tells which items of a batch failed.
func many[R interface{ GetStatus() *types.Status }, M proto.Message](a answer, results []R, asked []M, verb, item, items string) answer {
	var details strings.Builder
	for i, r := range results {
		if s := r.GetStatus(); codes.Code(s.Code) != codes.OK {
			fmt.Fprintf(&details, "Failed to %s the following %s (code: %s, msg: %q):\n", verb, item, codes.Code(s.Code), s.Message)
			_ = pretty(&details, asked[i]) // what was sent can be printed
			a.failed = fmt.Errorf("failed to %s one or more %s", verb, items)
		}
	}
	a.details = details.String()
	return a
}
