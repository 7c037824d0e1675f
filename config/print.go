package config

import (
	"fmt"
	"log/slog"
	"reflect"
)

// The methods of this file keep secrets out of everything that prints a
// configuration or a part of it: fmt with any verb, slog, and JSON.

// redacted prints a part of the configuration on its own. Settings of plugins
// are masked altogether, for it is not known here which of them are secret.
func redacted(v any) any {
	return printer{blind: true}.value(reflect.ValueOf(v), nil, field{})
}

func format(s fmt.State, v any) {
	text, err := marshal(redacted(v))
	if err != nil {
		text = []byte(Mask)
	}
	_, _ = s.Write(text)
}

// Format prints without secrets.
func (x Config) Format(s fmt.State, _ rune) { format(s, x) }

// LogValue logs without secrets.
func (x Config) LogValue() slog.Value { return slog.AnyValue(redacted(x)) }

// MarshalJSON writes without secrets.
func (x Config) MarshalJSON() ([]byte, error) { return marshal(redacted(x)) }

// Format prints without secrets.
func (x Server) Format(s fmt.State, _ rune) { format(s, x) }

// LogValue logs without secrets.
func (x Server) LogValue() slog.Value { return slog.AnyValue(redacted(x)) }

// MarshalJSON writes without secrets.
func (x Server) MarshalJSON() ([]byte, error) { return marshal(redacted(x)) }

// Format prints without secrets.
func (x Temporal) Format(s fmt.State, _ rune) { format(s, x) }

// LogValue logs without secrets.
func (x Temporal) LogValue() slog.Value { return slog.AnyValue(redacted(x)) }

// MarshalJSON writes without secrets.
func (x Temporal) MarshalJSON() ([]byte, error) { return marshal(redacted(x)) }

// Format prints without secrets.
func (x SourceAuth) Format(s fmt.State, _ rune) { format(s, x) }

// LogValue logs without secrets.
func (x SourceAuth) LogValue() slog.Value { return slog.AnyValue(redacted(x)) }

// MarshalJSON writes without secrets.
func (x SourceAuth) MarshalJSON() ([]byte, error) { return marshal(redacted(x)) }

// Format prints without secrets.
func (x HeaderAuth) Format(s fmt.State, _ rune) { format(s, x) }

// LogValue logs without secrets.
func (x HeaderAuth) LogValue() slog.Value { return slog.AnyValue(redacted(x)) }

// MarshalJSON writes without secrets.
func (x HeaderAuth) MarshalJSON() ([]byte, error) { return marshal(redacted(x)) }

// Format prints without secrets.
func (x BasicAuth) Format(s fmt.State, _ rune) { format(s, x) }

// LogValue logs without secrets.
func (x BasicAuth) LogValue() slog.Value { return slog.AnyValue(redacted(x)) }

// MarshalJSON writes without secrets.
func (x BasicAuth) MarshalJSON() ([]byte, error) { return marshal(redacted(x)) }

// Format prints without secrets.
func (x HMACAuth) Format(s fmt.State, _ rune) { format(s, x) }

// LogValue logs without secrets.
func (x HMACAuth) LogValue() slog.Value { return slog.AnyValue(redacted(x)) }

// MarshalJSON writes without secrets.
func (x HMACAuth) MarshalJSON() ([]byte, error) { return marshal(redacted(x)) }

// Format prints without secrets.
func (x StandardWebhooksAuth) Format(s fmt.State, _ rune) { format(s, x) }

// LogValue logs without secrets.
func (x StandardWebhooksAuth) LogValue() slog.Value { return slog.AnyValue(redacted(x)) }

// MarshalJSON writes without secrets.
func (x StandardWebhooksAuth) MarshalJSON() ([]byte, error) { return marshal(redacted(x)) }

// Format prints without secrets.
func (x Destination) Format(s fmt.State, _ rune) { format(s, x) }

// LogValue logs without secrets.
func (x Destination) LogValue() slog.Value { return slog.AnyValue(redacted(x)) }

// MarshalJSON writes without secrets.
func (x Destination) MarshalJSON() ([]byte, error) { return marshal(redacted(x)) }
