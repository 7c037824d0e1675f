package serve

import (
	"io"
	"log/slog"
	"os"

	"github.com/sluicehq/sluice/plugins/internal/wire"
)

// setLogger makes slog's default logger write what the host reads: one JSON
// object per line, with hclog's names for time, level and message.
func setLogger(stderr io.Writer) {
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(os.Getenv(wire.EnvLogLevel))); err != nil {
		level = slog.LevelInfo
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return a
			}
			switch a.Key {
			case slog.TimeKey:
				a.Key = "@timestamp"
			case slog.LevelKey:
				a.Key = "@level"
			case slog.MessageKey:
				a.Key = "@message"
			}
			return a
		},
	})))
}
