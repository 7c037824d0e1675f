package sqlcore

import (
	"encoding/json"
	"errors"

	"github.com/sluicehq/sluice/plugins/destination"
)

// Describe is the description that the plugins over this core share.
func Describe(name, version string, settings json.RawMessage) destination.Description {
	return destination.Description{
		Name:         name,
		Version:      version,
		ConfigSchema: settings,
		Capabilities: []destination.Capability{
			destination.CapabilityCheck, destination.CapabilityDryRun,
			destination.CapabilityRecords, destination.CapabilityChanges, destination.CapabilityEvents,
		},
		MaxBatchRecords: 1000,
	}
}

// HardDelete reads the setting "delete": soft (also the default) or hard.
func HardDelete(setting string) (bool, error) {
	switch setting {
	case "", "soft":
		return false, nil
	case "hard":
		return true, nil
	default:
		return false, errors.New(`setting "delete": use soft or hard`)
	}
}
