// Package embedded runs Temporal and its web UI inside Sluice's process, with
// SQLite files under the data directory, so that Sluice needs no other server.
// What it holds is disposable: the ledger decides what still has to be
// delivered, and an empty Temporal is driven again from there. Package app
// starts it when the configuration names no Temporal cluster. It knows nothing
// of events, routes or workflows. The build tag slim leaves it out.
package embedded

import (
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
)

// Options says where the embedded server keeps its files and listens.
type Options struct {
	// Dir is the data directory. It is made if it is missing.
	Dir string
	// Listen is host:port of the frontend; port 0 takes a free one. Required.
	Listen string
	// UI is host:port of the web UI; port 0 takes a free one. Empty: no UI.
	UI string
	// Namespace is made when it is missing. Default: "default".
	Namespace string
	// Retention is how long finished workflows stay. Default: 72 h. A change
	// reaches a namespace that exists.
	Retention time.Duration
	// Logger gets what matters of Temporal's own log. Default: slog.Default().
	Logger *slog.Logger
	// SearchAttributes are added to those that the namespace has.
	SearchAttributes map[string]enumspb.IndexedValueType
	// DynamicConfig overrides Temporal's dynamic configuration, by key.
	DynamicConfig map[string]any
}
