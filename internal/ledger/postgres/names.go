package postgres

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
)

// names remembers what is committed in the names and scopes tables, whose rows
// are never changed or deleted.
type names struct {
	byID   sync.Map // int64 → string
	byName sync.Map // string → int64

	scopes     sync.Map // event.RecordKey without a platform id → int64
	scopeCount atomic.Int64
}

// maxScopes bounds the memory for scopes; there is one per company and model.
const maxScopes = 1 << 17

// known returns the numbers that are remembered, and the names that have none.
func (n *names) known(all []string) (numbers map[string]int64, missing []string) {
	numbers = make(map[string]int64, len(all))
	for _, name := range all {
		if _, ok := numbers[name]; ok {
			continue
		}
		if id, ok := n.byName.Load(name); ok {
			numbers[name] = id.(int64)
			continue
		}
		numbers[name] = 0
		missing = append(missing, name)
	}
	return numbers, missing
}

// remember keeps what is committed.
func (n *names) remember(numbers map[string]int64) {
	for name, id := range numbers {
		n.byName.Store(name, id)
		n.byID.Store(id, text(name))
	}
}

// nameNumbers gives numbers to names that have none, in the transaction. They are
// to be remembered once it is committed.
func nameNumbers(ctx context.Context, t *tx, missing []string) (map[string]int64, error) {
	stored := make([]string, len(missing))
	for i, n := range missing {
		stored[i] = text(n)
	}
	found := make(map[string]int64, len(missing))
	b := t.batch()
	b.Queue(`INSERT INTO names (name) SELECT DISTINCT n FROM unnest($1::text[]) n
		WHERE NOT EXISTS (SELECT 1 FROM names WHERE name = n) ORDER BY n ON CONFLICT DO NOTHING`, stored)
	// A statement of its own sees what another instance has inserted meanwhile.
	b.Queue(`SELECT id, name FROM names WHERE name = ANY($1)`, stored).Query(func(rows pgx.Rows) error {
		var id int64
		var name string
		_, err := pgx.ForEachRow(rows, []any{&id, &name}, func() error {
			found[name] = id
			return nil
		})
		return err
	})
	err := t.send(ctx, b)
	out := make(map[string]int64, len(missing))
	for i, n := range missing {
		out[n] = found[stored[i]]
	}
	return out, err
}

// number is 0 for a name that nothing has used yet.
func (l *Ledger) number(ctx context.Context, name string) (int64, error) {
	if id, ok := l.names.byName.Load(name); ok {
		return id.(int64), nil
	}
	var id int64
	b := new(pgx.Batch)
	one(b, func(r pgx.Row) error { return r.Scan(&id) }, `SELECT id FROM names WHERE name = $1`, text(name))
	if err := l.read(ctx, b); err != nil || id == 0 {
		return 0, err
	}
	l.names.byName.Store(name, id)
	l.names.byID.Store(id, text(name))
	return id, nil
}

// nameAll makes sure that the names of all numbers are known.
func (l *Ledger) nameAll(ctx context.Context, ids ...int64) error {
	var missing []int64
	for _, id := range ids {
		if _, ok := l.names.byID.Load(id); !ok {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	b := new(pgx.Batch)
	b.Queue(`SELECT id, name FROM names WHERE id = ANY($1)`, missing).Query(func(rows pgx.Rows) error {
		var id int64
		var name string
		_, err := pgx.ForEachRow(rows, []any{&id, &name}, func() error {
			l.names.byID.Store(id, name)
			return nil
		})
		return err
	})
	return l.read(ctx, b)
}

// name is that of a number that nameAll was asked for.
func (l *Ledger) name(id int64) string {
	if n, ok := l.names.byID.Load(id); ok {
		return n.(string)
	}
	return ""
}

// stored is the key as PostgreSQL can store it.
func stored(k event.RecordKey) event.RecordKey {
	return event.RecordKey{
		Source: text(k.Source), CompanyID: text(k.CompanyID), Integration: text(k.Integration), Model: text(k.Model),
		PlatformID: text(k.PlatformID),
	}
}

// scope is the part of a key that has a row in scopes.
func scope(key event.RecordKey) event.RecordKey {
	key.PlatformID = ""
	return key
}

// scopeNumbers returns the number of each scope of stored keys. New ones are
// committed by themselves, before the transaction that uses them.
func (l *Ledger) scopeNumbers(ctx context.Context, keys []event.RecordKey) (map[event.RecordKey]int64, error) {
	out := make(map[event.RecordKey]int64)
	var missing []event.RecordKey
	for _, k := range keys {
		k = scope(k)
		if _, ok := out[k]; ok {
			continue
		}
		if id, ok := l.names.scopes.Load(k); ok {
			out[k] = id.(int64)
			continue
		}
		out[k] = 0
		missing = append(missing, k)
	}
	if len(missing) == 0 {
		return out, nil
	}
	var columns [4][]string
	for _, k := range missing {
		for c, v := range []string{k.Source, k.CompanyID, k.Integration, k.Model} {
			columns[c] = append(columns[c], v)
		}
	}
	const given = `unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS g(source, company_id, integration, model)`
	args := []any{columns[0], columns[1], columns[2], columns[3]}
	found := make(map[event.RecordKey]int64, len(missing))
	b := new(pgx.Batch)
	b.Queue(`INSERT INTO scopes (source, company_id, integration, model)
		SELECT DISTINCT g.* FROM `+given+` WHERE NOT EXISTS (SELECT 1 FROM scopes s
			WHERE (s.source, s.company_id, s.integration, s.model) = (g.source, g.company_id, g.integration, g.model))
		ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING`, args...)
	b.Queue(`SELECT s.id, s.source, s.company_id, s.integration, s.model FROM `+given+`
		JOIN scopes s ON (s.source, s.company_id, s.integration, s.model) = (g.source, g.company_id, g.integration, g.model)`, args...).
		Query(func(rows pgx.Rows) error {
			var id int64
			var k event.RecordKey
			_, err := pgx.ForEachRow(rows, []any{&id, &k.Source, &k.CompanyID, &k.Integration, &k.Model}, func() error {
				found[k] = id
				return nil
			})
			return err
		})
	if err := l.read(ctx, b); err != nil {
		return nil, err
	}
	for _, k := range missing {
		out[k] = found[k]
		if l.names.scopeCount.Add(1) > maxScopes {
			l.names.scopes.Clear()
			l.names.scopeCount.Store(0)
		}
		l.names.scopes.Store(k, out[k])
	}
	return out, nil
}
