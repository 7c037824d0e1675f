// Package payloads names what takes the events of each format apart, in the
// form that activities ask for. It is a package of its own so that a
// configuration can be rehearsed without the rest of a server.
package payloads

import (
	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/rootfi"
)

// ByFormat returns the payloads by the family of their format.
func ByFormat() map[string]activities.Payloads {
	return map[string]activities.Payloads{"rootfi": rootfiPayloads{}}
}

type rootfiPayloads struct{}

func (rootfiPayloads) Changes(ev event.Event) ([]event.Change, []activities.Unkeyed, error) {
	changes, unkeyed, err := rootfi.Changes(ev)
	out := make([]activities.Unkeyed, len(unkeyed))
	for i, u := range unkeyed {
		out[i] = activities.Unkeyed(u)
	}
	return changes, out, err
}
