package sqlite

import "github.com/sluicehq/sluice/internal/ledger"

// The states of a delivery. Stored; never renumber.
const (
	waiting   = 0
	delivered = 1
	dead      = 2
)

var stateNames = [...]string{"waiting", "delivered", "dead"}

type (
	modelKey struct{ destination, model int64 }
	batchKey struct {
		batch int64
		modelKey
	}
	counts [3]int64 // by state
)

// tally gathers what a transaction does to the counters, so that each row of
// them is written once.
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

func (t *tally) add(k modelKey, state int, n int64) {
	if t.models == nil {
		t.models = make(map[modelKey]*counts)
	}
	if t.models[k] == nil {
		t.models[k] = new(counts)
	}
	t.models[k][state] += n
}

func (t *tally) addBatch(k batchKey, state int, n int64) {
	if t.batches == nil {
		t.batches = make(map[batchKey]*counts)
	}
	if t.batches[k] == nil {
		t.batches[k] = new(counts)
	}
	t.batches[k][state] += n
}

func (t *tally) model(name string) *ledger.ModelCount {
	if t.merged == nil {
		t.merged = make(map[string]*ledger.ModelCount)
	}
	if t.merged[name] == nil {
		t.merged[name] = new(ledger.ModelCount)
	}
	return t.merged[name]
}

func (t *tally) flush(c *conn) error {
	for k, n := range t.models {
		if *n == (counts{}) {
			continue
		}
		if _, err := c.exec(`INSERT INTO delivery_counts (destination, model, waiting, delivered, dead) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET waiting = waiting + excluded.waiting, delivered = delivered + excluded.delivered,
				dead = dead + excluded.dead`, k.destination, k.model, n[waiting], n[delivered], n[dead]); err != nil {
			return err
		}
	}
	for k, n := range t.batches {
		if *n == (counts{}) {
			continue
		}
		if max(n[waiting], n[delivered], n[dead]) <= 0 {
			// Retention may have removed the batch.
			if _, err := c.exec(`UPDATE batch_counts SET waiting = waiting + ?, delivered = delivered + ?, dead = dead + ?
				WHERE batch = ? AND destination = ? AND model = ?`,
				n[waiting], n[delivered], n[dead], k.batch, k.destination, k.model); err != nil {
				return err
			}
			continue
		}
		if _, err := c.exec(`INSERT INTO batch_counts (batch, destination, model, waiting, delivered, dead) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET waiting = waiting + excluded.waiting, delivered = delivered + excluded.delivered,
				dead = dead + excluded.dead`, k.batch, k.destination, k.model, n[waiting], n[delivered], n[dead]); err != nil {
			return err
		}
	}
	for name, n := range t.merged {
		if *n == (ledger.ModelCount{}) {
			continue
		}
		if _, err := c.exec(`INSERT INTO model_counts (model, changes, changed, unchanged) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET changes = changes + excluded.changes, changed = changed + excluded.changed,
				unchanged = unchanged + excluded.unchanged`, name, n.Changes, n.Changed, n.Unchanged); err != nil {
			return err
		}
	}
	return nil
}
