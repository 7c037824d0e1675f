package postgres

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/ledger"
)

// The states of a delivery. Stored; never renumber.
const (
	waiting   = 0
	delivered = 1
	dead      = 2
)

var stateNames = [...]string{"waiting", "delivered", "dead"}

// slots is how many rows share one count.
const slots = 16

type (
	modelKey struct{ destination, model int64 }
	batchKey struct {
		batch int64
		modelKey
	}
	counts [3]int64 // by state
)

func (a modelKey) compare(b modelKey) int {
	return cmp.Or(cmp.Compare(a.destination, b.destination), cmp.Compare(a.model, b.model))
}

func (a batchKey) compare(b batchKey) int {
	return cmp.Or(cmp.Compare(a.batch, b.batch), a.modelKey.compare(b.modelKey))
}

// tally gathers what a transaction does to the counters, so that each row of
// them is written once, at the end and in an order that all transactions share.
type tally struct {
	models  map[modelKey]*counts
	batches map[batchKey]*counts
	merged  map[string]*ledger.ModelCount
}

// come counts a delivery in a state.
func (t *tally) come(k modelKey, batch int64, state int) {
	t.add(k, state, 1)
	t.addBatch(batchKey{batch, k}, state, 1)
}

// leave takes it out of the state it had. What a batch delivered stays counted
// there, whoever wants the record again.
func (t *tally) leave(k modelKey, batch int64, state int) {
	t.add(k, state, -1)
	if state != delivered {
		t.addBatch(batchKey{batch, k}, state, -1)
	}
}

func (t *tally) add(k modelKey, state int, n int64) { entry(&t.models, k)[state] += n }

func (t *tally) addBatch(k batchKey, state int, n int64) { entry(&t.batches, k)[state] += n }

func (t *tally) model(name string) *ledger.ModelCount { return entry(&t.merged, name) }

func entry[K comparable, V any](m *map[K]*V, k K) *V {
	if *m == nil {
		*m = make(map[K]*V)
	}
	if (*m)[k] == nil {
		(*m)[k] = new(V)
	}
	return (*m)[k]
}

// flush queues the counters: last in a transaction, as others wait for their rows.
func (t *tally) flush(b *pgx.Batch) {
	t.flushBatches(b)
	slot := rand.IntN(slots)
	var destinations, models, w, d, x []int64
	for _, k := range slices.SortedFunc(maps.Keys(t.models), modelKey.compare) {
		if n := t.models[k]; *n != (counts{}) {
			destinations, models = append(destinations, k.destination), append(models, k.model)
			w, d, x = append(w, n[waiting]), append(d, n[delivered]), append(x, n[dead])
		}
	}
	if len(models) > 0 {
		b.Queue(`INSERT INTO delivery_counts AS c (destination, model, slot, waiting, delivered, dead)
			SELECT g.destination, g.model, $6, g.w, g.d, g.x
			FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS g(destination, model, w, d, x)
			ON CONFLICT (destination, model, slot) DO UPDATE SET waiting = c.waiting + excluded.waiting,
				delivered = c.delivered + excluded.delivered, dead = c.dead + excluded.dead`, destinations, models, w, d, x, slot)
	}
	t.flushMerged(b, slot)
}

func (t *tally) flushBatches(b *pgx.Batch) {
	var more, less [6][]int64
	for _, k := range slices.SortedFunc(maps.Keys(t.batches), batchKey.compare) {
		n := t.batches[k]
		if *n == (counts{}) {
			continue
		}
		to := &more
		if max(n[waiting], n[delivered], n[dead]) <= 0 {
			to = &less
		}
		for i, v := range []int64{k.batch, k.destination, k.model, n[waiting], n[delivered], n[dead]} {
			to[i] = append(to[i], v)
		}
	}
	const given = `unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) AS g(batch, destination, model, w, d, x)`
	if len(more[0])+len(less[0]) > 0 {
		// In one order, whatever the statements below do first.
		b.Queue(`SELECT 1 FROM batch_counts WHERE (batch, destination, model) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]))
			ORDER BY batch, destination, model FOR UPDATE`,
			slices.Concat(more[0], less[0]), slices.Concat(more[1], less[1]), slices.Concat(more[2], less[2]))
	}
	if len(less[0]) > 0 {
		// Retention may have removed the batch.
		b.Queue(`UPDATE batch_counts c SET waiting = c.waiting + g.w, delivered = c.delivered + g.d, dead = c.dead + g.x
			FROM `+given+` WHERE (c.batch, c.destination, c.model) = (g.batch, g.destination, g.model)`,
			less[0], less[1], less[2], less[3], less[4], less[5])
	}
	if len(more[0]) > 0 {
		b.Queue(`INSERT INTO batch_counts AS c (batch, destination, model, waiting, delivered, dead)
			SELECT g.* FROM `+given+` ON CONFLICT (batch, destination, model) DO UPDATE SET waiting = c.waiting + excluded.waiting,
				delivered = c.delivered + excluded.delivered, dead = c.dead + excluded.dead`,
			more[0], more[1], more[2], more[3], more[4], more[5])
	}
}

func (t *tally) flushMerged(b *pgx.Batch, slot int) {
	var names []string
	var changes, changed, unchanged []int64
	for _, name := range slices.Sorted(maps.Keys(t.merged)) {
		if n := t.merged[name]; *n != (ledger.ModelCount{}) {
			names = append(names, text(name))
			changes, changed, unchanged = append(changes, n.Changes), append(changed, n.Changed), append(unchanged, n.Unchanged)
		}
	}
	if len(names) > 0 {
		b.Queue(`INSERT INTO model_counts AS c (model, slot, changes, changed, unchanged)
			SELECT g.model, $5, g.a, g.b, g.c FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS g(model, a, b, c)
			ON CONFLICT (model, slot) DO UPDATE SET changes = c.changes + excluded.changes,
				changed = c.changed + excluded.changed, unchanged = c.unchanged + excluded.unchanged`,
			names, changes, changed, unchanged, slot)
	}
}
