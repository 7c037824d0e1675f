package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// keyList is a JSON array of keys for json_each.
func keyList(keys []event.RecordKey) (string, error) {
	rows := make([][5]string, len(keys))
	for i, k := range keys {
		rows[i] = [5]string{k.Source, k.CompanyID, k.Integration, k.Model, k.PlatformID}
	}
	b, err := json.Marshal(rows)
	return string(b), err
}

// keyed joins the keys of keyList with their records; the key's place in the
// list is j.key.
const keyed = ` FROM json_each(?) j
	CROSS JOIN scopes s ON s.source = j.value ->> 0 AND s.company_id = j.value ->> 1 AND s.integration = j.value ->> 2 AND s.model = j.value ->> 3
	CROSS JOIN records r ON r.scope = s.id AND r.platform_id = j.value ->> 4`

// Related implements [ledger.Mappings].
func (l *Ledger) Related(ctx context.Context, keys []event.RecordKey) ([]event.Record, error) {
	list, err := keyList(keys)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	var out []event.Record
	err = l.state.read(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT j.key, r.version, r.state`+keyed, func(r row) error {
			rec := event.Record{Key: keys[r.int(0)], Version: r.int(1)}
			if err := rec.DecodeState(r.blob(2)); err != nil {
				return fmt.Errorf("record of %s: %w", rec.Key.Model, err)
			}
			out = append(out, rec)
			return nil
		}, list)
	})
	return out, explain(err, "load related records")
}

// Arrived implements [ledger.Mappings].
func (l *Ledger) Arrived(ctx context.Context, destination string, keys []event.RecordKey) ([]event.RecordKey, error) {
	list, err := keyList(keys)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	var out []event.RecordKey
	err = l.state.read(ctx, func(c *conn) error {
		to, err := l.names.id(ctx, c, destination)
		if err != nil || to == 0 {
			return err
		}
		return c.query(ctx, `SELECT j.key`+keyed+` CROSS JOIN deliveries d ON d.record_id = r.id AND d.destination = ? WHERE d.delivered > 0`,
			func(r row) error {
				out = append(out, keys[r.int(0)])
				return nil
			}, list, to)
	})
	return out, explain(err, "find parents at %s", destination)
}

// Intend implements [ledger.Mappings].
func (l *Ledger) Intend(ctx context.Context, token ledger.ClaimToken, children map[int64]map[string][]string) error {
	err := l.state.write(ctx, func(c *conn) error {
		for _, id := range slices.Sorted(maps.Keys(children)) {
			var known map[string][]string
			var broken error
			if _, err := c.one(ctx, `SELECT children FROM deliveries WHERE id = ?`, func(r row) { known, broken = decodeChildren(r, 0) }, id); err != nil {
				return err
			}
			if broken != nil {
				return fmt.Errorf("delivery %d: %w", id, broken)
			}
			text, err := encodeChildren(ledger.JoinChildren(known, children[id]))
			if err != nil {
				return err
			}
			if _, err := c.exec(`UPDATE deliveries SET children = ? WHERE id = ?`, text, id); err != nil {
				return err
			}
		}
		return nil
	})
	return explain(err, "remember elements for %s", token.Destination)
}

func decodeChildren(r row, i int) (map[string][]string, error) {
	if r.null(i) {
		return nil, nil
	}
	var out map[string][]string
	err := json.Unmarshal([]byte(r.text(i)), &out)
	return out, err
}

// encodeChildren is null for none.
func encodeChildren(children map[string][]string) (any, error) {
	if len(children) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(children)
	return string(b), err
}

// before copies the record as it is, if somebody asks for it.
func (a *application) before(rec *event.Record) *event.Record {
	if !a.Before {
		return nil
	}
	old := *rec
	old.Fields = maps.Clone(rec.Fields)
	return &old
}

func (a *application) noteUnrouted() error {
	for _, seq := range a.Unrouted {
		n, err := a.conn.exec(`INSERT INTO unrouted (event_seq) VALUES (?) ON CONFLICT DO NOTHING`, seq)
		if err != nil {
			return err
		}
		a.unrouted += int(n)
	}
	return nil
}

func (l *Ledger) unroutedSeqs(ctx context.Context) (seqs []int64, err error) {
	err = l.state.read(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT event_seq FROM unrouted ORDER BY event_seq DESC`, func(r row) error {
			seqs = append(seqs, r.int(0))
			return nil
		})
	})
	return seqs, err
}
