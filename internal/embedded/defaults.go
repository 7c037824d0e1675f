//go:build !slim

package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"time"
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
