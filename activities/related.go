package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/internal/event"
)

// Bounds of what mappings look up: how far a looked-up record may lead to
// others, and how many are loaded with one query.
const (
	lookupDepth  = 4
	lookupAtOnce = 500
)

var errDepth = errors.New("looks up records by records too often: at most 4 steps")

// related holds the records that the mappings of a claim look up. One that is
// not there is nil.
type related map[event.RecordKey]*expr.Object

// lookup is what one record may look up: those of its source, company and
// integration.
type lookup struct{ find expr.Lookup }

// lookup notes in missing what was asked for and is not loaded.
func (r related) lookup(of *event.Record, missing map[event.RecordKey]struct{}, asked *bool) lookup {
	if of == nil {
		return lookup{}
	}
	return lookup{func(model, platformID string) *expr.Object {
		key := of.Key
		key.Model, key.PlatformID = strings.ToUpper(model), platformID
		found, loaded := r[key]
		if !loaded {
			missing[key] = struct{}{}
			*asked = true
		}
		return found
	}}
}

// relate loads what is missing.
func (a *Activities) relate(ctx context.Context, into related, missing map[event.RecordKey]struct{}) error {
	keys := make([]event.RecordKey, 0, len(missing))
	for key := range missing {
		into[key] = nil
		keys = append(keys, key)
	}
	for len(keys) > 0 {
		n := min(len(keys), lookupAtOnce)
		records, err := a.store.Related(ctx, keys[:n])
		if err != nil {
			return fmt.Errorf("look up related records: %w", err)
		}
		for i := range records {
			if r := &records[i]; !r.Deleted() {
				into[r.Key] = expr.NewRecord(r)
			}
		}
		keys = keys[n:]
	}
	return nil
}
