// Package embedded runs Temporal and its web UI inside Sluice's process, with
// SQLite files under the data directory, so that Sluice needs no other server.
// What it holds is disposable: the ledger decides what still has to be
// delivered, and an empty Temporal is driven again from there. Package app
// starts it when the configuration names no Temporal cluster. It knows nothing
// of events, routes or workflows. The build tag slim leaves it out.
package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
)

// The names of the settings, for errors that tell the user what to change.
const (
	settingListen = "temporal.embedded.listen"
	settingUI     = "temporal.embedded.ui"
)

const (
	defaultNamespace = "default"
	defaultRetention = 72 * time.Hour
	// Temporal refuses shorter retentions over its API; we hold to the same.
	minRetention = time.Hour
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

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("temporal: data directory: none given")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("temporal: data directory: %w", err)
	}
	o.Dir = dir
	if err := checkAddress(settingListen, o.Listen); err != nil {
		return o, err
	}
	if o.UI != "" {
		if err := checkAddress(settingUI, o.UI); err != nil {
			return o, err
		}
	}
	if o.Namespace == "" {
		o.Namespace = defaultNamespace
	}
	if o.Retention == 0 {
		o.Retention = defaultRetention
	}
	if o.Retention < minRetention {
		return o, fmt.Errorf("temporal.embedded.retention: %s is too short: at least %s", o.Retention, minRetention)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}

func checkAddress(setting, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s: %q is not host:port", setting, address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s: %q has no port between 0 and 65535", setting, address)
	}
	return nil
}
