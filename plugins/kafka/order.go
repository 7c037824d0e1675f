package main

import (
	"crypto/sha256"
	"sync"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/twmb/franz-go/pkg/kgo"
)

// identity is a key of a topic or, for what is appended, an idempotency key.
type identity [16]byte

func identify(m *kgo.Record, r *destination.Record) identity {
	text := m.Topic + "\x00" + string(m.Key)
	if r.Operation == destination.Append && r.IdempotencyKey != "" {
		text = m.Topic + "\x00\x00" + r.IdempotencyKey
	}
	sum := sha256.Sum256([]byte(text))
	return identity(sum[:16])
}

// flight is a message on its way. Its result is set before done is closed.
type flight struct {
	version int64
	done    chan struct{}
	result  destination.Result
}

// order keeps a process from producing an older version of a record after a
// newer one, and from producing a message again whose answer it still waits for.
//
// Invariant 3: a destination never goes back to an older version. The log only
// grows, so this is where that is decided; after a restart consumers decide by
// the header.
type order struct {
	mu      sync.Mutex
	flights map[identity]*flight // the newest of each key
	// acked are the versions that the brokers have, of the keys used last. They
	// are in two generations, so that forgetting the oldest costs nothing.
	acked, older map[identity]int64
	keep         int // keys of one generation
}

// keepAcked keys of a generation take about 5 MiB.
const keepAcked = 100_000

func newOrder(keep int) *order {
	return &order{flights: map[identity]*flight{}, acked: map[identity]int64{}, keep: keep}
}

// step is what to do with a message: produce it (own), wait for another one that
// decides about it (flight but not own), or nothing, since the brokers have it.
type step struct {
	flight *flight
	own    bool
}

func (o *order) begin(id identity, version int64) step {
	o.mu.Lock()
	defer o.mu.Unlock()
	if v, ok := o.lookup(id); ok && v >= version {
		return step{}
	}
	if f := o.flights[id]; f != nil && f.version >= version {
		return step{flight: f}
	}
	f := &flight{version: version, done: make(chan struct{})}
	o.flights[id] = f
	return step{flight: f, own: true}
}

// end books the result of a flight that its own step began.
func (o *order) end(id identity, f *flight, result destination.Result) {
	o.mu.Lock()
	if o.flights[id] == f {
		delete(o.flights, id)
	}
	if result.Kind == destination.Delivered {
		if v, ok := o.lookup(id); !ok || v < f.version {
			o.note(id, f.version)
		}
	}
	o.mu.Unlock()
	f.result = result
	close(f.done)
}

// lookup is called with mu held.
func (o *order) lookup(id identity) (int64, bool) {
	v, ok := o.acked[id]
	if ok {
		return v, true
	}
	if v, ok = o.older[id]; ok {
		o.note(id, v)
	}
	return v, ok
}

// note is called with mu held.
func (o *order) note(id identity, version int64) {
	if len(o.acked) >= o.keep {
		o.acked, o.older = make(map[identity]int64, o.keep), o.acked
	}
	o.acked[id] = version
}
