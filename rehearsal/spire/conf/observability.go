package conf

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
)

// Observability is what server and agent have in common to be watched by. Addresses are host:port.
type Observability struct {
	// HealthAddress is that of plain HTTP health checks; empty for none.
	HealthAddress, LivePath, ReadyPath string
	// MetricsAddress is that of Prometheus metrics over plain HTTP; empty for none.
	MetricsAddress string
}

func observability(h healthBlock, t telemetryBlock) (o Observability) {
	if h.ListenerEnabled {
		o.HealthAddress = address(h.BindAddress, cmp.Or(h.BindPort, "80"))
		o.LivePath, o.ReadyPath = cmp.Or(h.LivePath, "/live"), cmp.Or(h.ReadyPath, "/ready")
	}
	if p := t.Prometheus; p != nil {
		o.MetricsAddress = address(p.Host, strconv.Itoa(p.Port))
	}
	return o
}

// Log is how a program logs: from which level on (debug, info, warn or error), and as text or json. Case does not matter.
type Log struct{ Level, Format string }

// Logger returns the log that a configuration asks for; it goes to standard error.
func (l Log) Logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return nil, fmt.Errorf("could not start logger: not a valid log level: %q", strings.ToLower(l.Level))
	}
	options := &slog.HandlerOptions{Level: level}
	if strings.EqualFold(l.Format, "json") {
		return slog.New(slog.NewJSONHandler(os.Stderr, options)), nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options)), nil
}
