package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// keyed joins keys with their records; the key's place in the list is g.at.
const keyed = ` FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS g(source, company_id, integration, model, platform_id, at)
	JOIN scopes s ON s.source = g.source AND s.company_id = g.company_id AND s.integration = g.integration AND s.model = g.model
	JOIN records r ON r.scope = s.id AND r.platform_id = g.platform_id`

// keyLists are the parameters of keyed.
func keyLists(keys []event.RecordKey) []any {
	lists := make([][]string, 5)
	for _, k := range keys {
		k = stored(k)
		for i, v := range []string{k.Source, k.CompanyID, k.Integration, k.Model, k.PlatformID} {
			lists[i] = append(lists[i], v)
		}
	}
	return []any{lists[0], lists[1], lists[2], lists[3], lists[4]}
}

// Related implements [ledger.Mappings].
func (l *Ledger) Related(ctx context.Context, keys []event.RecordKey) ([]event.Record, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var out []event.Record
	b := new(pgx.Batch)
	query(b, &out, func(row pgx.CollectableRow) (r event.Record, err error) {
		var at int
		var state []byte
		if err := row.Scan(&at, &r.Version, &state); err != nil {
			return r, err
		}
		r.Key = keys[at-1]
		if err := r.DecodeState(state); err != nil {
			return r, fmt.Errorf("record of %s: %w", r.Key.Model, err)
		}
		return r, nil
	}, `SELECT g.at, r.version, r.state`+keyed, keyLists(keys)...)
	return out, explain(l.read(ctx, b), "load related records")
}

// Arrived implements [ledger.Mappings].
func (l *Ledger) Arrived(ctx context.Context, destination string, keys []event.RecordKey) ([]event.RecordKey, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var out []event.RecordKey
	b := new(pgx.Batch)
	query(b, &out, func(row pgx.CollectableRow) (event.RecordKey, error) {
		var at int
		err := row.Scan(&at)
		if err != nil {
			return event.RecordKey{}, err
		}
		return keys[at-1], nil
	}, `SELECT g.at`+keyed+` JOIN names n ON n.name = $6 JOIN deliveries d ON d.record_id = r.id AND d.destination = n.id
		WHERE d.delivered > 0 ORDER BY g.at`, append(keyLists(keys), text(destination))...)
	return out, explain(l.read(ctx, b), "find parents at %s", destination)
}

// Intend implements [ledger.Mappings].
func (l *Ledger) Intend(ctx context.Context, token ledger.ClaimToken, children map[int64]map[string][]string) error {
	ids := slices.Sorted(maps.Keys(children))
	err := l.write(ctx, func(ctx context.Context, t *tx) error {
		var found []int64
		var texts []*string
		b := t.batch()
		b.Queue(`SELECT id, children FROM deliveries WHERE id = ANY($1) ORDER BY id FOR UPDATE`, ids).Query(func(rows pgx.Rows) error {
			var id int64
			var known *string
			_, err := pgx.ForEachRow(rows, []any{&id, &known}, func() error {
				before, err := decodeChildren(known)
				if err != nil {
					return fmt.Errorf("delivery %d: %w", id, err)
				}
				after, err := encodeChildren(ledger.JoinChildren(before, children[id]))
				found, texts = append(found, id), append(texts, after)
				return err
			})
			return err
		})
		if err := t.send(ctx, b); err != nil {
			return err
		}
		b = t.batch()
		b.Queue(`UPDATE deliveries d SET children = g.children FROM unnest($1::bigint[], $2::text[]) AS g(id, children) WHERE d.id = g.id`, found, texts)
		return t.commit(ctx, b)
	})
	return explain(err, "remember elements for %s", token.Destination)
}

func decodeChildren(stored *string) (map[string][]string, error) {
	if stored == nil {
		return nil, nil
	}
	var out map[string][]string
	err := json.Unmarshal([]byte(*stored), &out)
	return out, err
}

// encodeChildren is null for none. JSON has no character that PostgreSQL cannot
// store in a text: a null character is escaped.
func encodeChildren(children map[string][]string) (*string, error) {
	if len(children) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(children)
	s := string(b)
	return &s, err
}

func (a *application) noteUnrouted(b *pgx.Batch) {
	if len(a.Unrouted) == 0 {
		return
	}
	one(b, func(r pgx.Row) error { return r.Scan(&a.unrouted) }, `WITH fresh AS (
			INSERT INTO unrouted (event_seq) SELECT unnest($1::bigint[]) ON CONFLICT DO NOTHING RETURNING 1
		) SELECT count(*) FROM fresh`, a.Unrouted)
}
