package ledgertest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"pgregory.net/rapid"
)

var modelTests = map[string]func(*kit){
	"any sequence of calls does what the model does": func(k *kit) {
		run := 0
		rapid.Check(k.T, func(t *rapid.T) {
			run++
			newModel(k, t, run).run()
		})
	},
}

// model is the simplest thing that behaves like a ledger: maps, no files. Each
// run has destinations and records of its own in the same ledger.
type model struct {
	*kit
	rt           *rapid.T
	prefix       string
	destinations []string
	records      map[string]*event.Record
	deliveries   []*delivery // in the order in which they were booked first
	claims       map[string]*heldClaim
	batches      []int64
	letters      map[string]int // open ones, by destination
}

type delivery struct {
	destination string
	record      string // empty for an event
	seq         int64
	id          int64 // 0 until it was seen in a claim

	batch, wanted, delivered int64
	state                    string
	attempts, suspect        int
	due, firstFail, blocked  time.Time
	parents                  map[string]bool // whom it waits for, or waited
	letter                   bool
	claim                    string
	version                  int64 // as claimed
}

type heldClaim struct {
	claim   ledger.Claim
	expires time.Time
}

func newModel(k *kit, t *rapid.T, run int) *model {
	m := &model{
		kit: k, rt: t, prefix: fmt.Sprintf("%d-", run), records: map[string]*event.Record{},
		claims: map[string]*heldClaim{}, letters: map[string]int{},
	}
	m.destinations = []string{m.prefix + "d", m.prefix + "e"}
	return m
}

func (m *model) run() {
	// What an earlier run left when it failed.
	for ok := true; ok; {
		var err error
		_, ok, err = m.ClaimBatch(m.Context(), 1000)
		m.ok(err)
	}
	m.rt.Repeat(map[string]func(*rapid.T){
		"apply":  func(*rapid.T) { m.apply() },
		"event":  func(*rapid.T) { m.event() },
		"claim":  func(*rapid.T) { m.claimSome() },
		"settle": func(*rapid.T) { m.settleSome() },
		"late":   func(*rapid.T) { m.settleLate() },
		"wait": func(*rapid.T) {
			m.clock.advance(time.Duration(rapid.IntRange(1, 50).Draw(m.rt, "seconds")) * time.Second)
		},
		"retry":   func(*rapid.T) { m.retry() },
		"discard": func(*rapid.T) { m.discard() },
		"":        func(*rapid.T) { m.check(m.batches[max(0, len(m.batches)-3):]) },
	})
	m.check(m.batches)
}

func (m *model) ok(err error) {
	m.Helper()
	if err != nil {
		m.rt.Fatal(err)
	}
}

func (m *model) destination() string {
	return rapid.SampledFrom(m.destinations).Draw(m.rt, "destination")
}

// newBatch appends one event and claims it.
func (m *model) newBatch() ledger.Batch {
	_, err := m.Append(m.Context(), m.ev())
	m.ok(err)
	b, ok, err := m.ClaimBatch(m.Context(), 10)
	m.ok(err)
	if !ok || len(b.Events) != 1 {
		m.rt.Fatalf("claimed %+v", b)
	}
	m.batches = append(m.batches, b.ID)
	return b
}

// apply changes some records and applies the batch twice: the second time says nothing.
func (m *model) apply() {
	b := m.newBatch()
	var changes []event.Change
	for i := range rapid.IntRange(1, 5).Draw(m.rt, "changes") {
		id := m.prefix + rapid.SampledFrom([]string{"a", "b", "c", "f", "g", "h"}).Draw(m.rt, "record")
		changes = append(changes, set(id, b.FirstSeq, i, rapid.SampledFrom([]string{"1", "2", "3"}).Draw(m.rt, "value")))
	}
	route := to(m.destinations[:rapid.IntRange(1, 2).Draw(m.rt, "destinations")]...)
	in := ledger.Application{Batch: b.ID, Changes: changes, Route: route, Final: true}

	byID := map[string][]event.Change{}
	var order []string
	for _, c := range changes {
		if byID[c.Key.PlatformID] == nil {
			order = append(order, c.Key.PlatformID)
		}
		byID[c.Key.PlatformID] = append(byID[c.Key.PlatformID], c)
	}
	changed := 0
	for _, id := range order {
		if m.records[id] == nil {
			m.records[id] = &event.Record{Key: key(id)}
		}
		r := m.records[id]
		if !r.Merge(byID[id]...) {
			continue
		}
		changed++
		for _, w := range route(ledger.Merged{Record: r}) {
			m.want(w.Destination, id, 0, b.ID, r.Version)
		}
	}
	for _, want := range []int{changed, 0} {
		got, err := m.Apply(m.Context(), in)
		m.ok(err)
		if got.Changed != want || got.Changed+got.Unchanged != len(order) {
			m.rt.Fatalf("applied %+v, want %d changed of %d", got, want, len(order))
		}
	}
}

func (m *model) want(destination, record string, seq, batch, version int64) {
	i := slices.IndexFunc(m.deliveries, func(d *delivery) bool {
		return d.destination == destination && d.record == record && d.seq == seq
	})
	if i < 0 {
		m.deliveries = append(m.deliveries, &delivery{destination: destination, record: record, seq: seq})
		i = len(m.deliveries) - 1
	}
	d := m.deliveries[i]
	d.batch, d.wanted, d.state = batch, version, "waiting"
	d.anew()
}

// anew forgets how it fared.
func (d *delivery) anew() {
	d.attempts, d.suspect, d.due, d.firstFail, d.blocked = 0, 0, time.Time{}, time.Time{}, time.Time{}
}

// event delivers an event as it came.
func (m *model) event() {
	b := m.newBatch()
	dest := m.destination()
	_, err := m.Apply(m.Context(), ledger.Application{
		Batch: b.ID, Final: true, Appends: []ledger.AppendWant{{Want: ledger.Want{Destination: dest}, Seq: b.FirstSeq, Index: -1}},
	})
	m.ok(err)
	m.want(dest, "", b.FirstSeq, b.ID, b.FirstSeq)
}

func (m *model) leased(d *delivery) bool {
	c := m.claims[d.claim]
	return c != nil && m.clock.now().Before(c.expires)
}

// live returns the claims whose lease lasts, or those whose deliveries have all
// been claimed by others since.
func (m *model) live(want bool) []string {
	var out []string
	for token, c := range m.claims {
		lost := true
		for _, d := range m.deliveries {
			lost = lost && d.claim != token
		}
		if now := m.clock.now(); want && now.Before(c.expires) || !want && lost {
			out = append(out, token)
		}
	}
	slices.Sort(out)
	return slices.Clip(out)
}

// settleSome settles a claim of the model; the order of live tokens is random,
// and so is the choice.
func (m *model) settleSome() {
	tokens := m.live(true)
	if len(tokens) == 0 {
		return
	}
	token := tokens[rapid.IntRange(0, len(tokens)-1).Draw(m.rt, "claim")]
	now := m.clock.now()
	var outcomes []ledger.Outcome
	for _, item := range m.claims[token].claim.Items {
		i := slices.IndexFunc(m.deliveries, func(d *delivery) bool { return d.id == item.ID })
		d := m.deliveries[i]
		if d.claim != token {
			m.rt.Fatalf("delivery %d was claimed twice", d.id)
		}
		if rapid.IntRange(0, 9).Draw(m.rt, "left out") == 0 {
			continue
		}
		o := ledger.Outcome{
			DeliveryID: d.id, Result: ledger.OutcomeKind(rapid.IntRange(0, 4).Draw(m.rt, "outcome")),
			Version: d.version, Lost: rapid.Bool().Draw(m.rt, "lost"),
		}
		if rapid.Bool().Draw(m.rt, "later") {
			o.RetryAt = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(m.rt, "delay")) * time.Second)
		}
		if o.Result == ledger.OutcomeBlocked && d.record != "" {
			o.Parents = []event.RecordKey{key(m.prefix + rapid.SampledFrom([]string{"a", "b", "c", "f", "g", "h", "missing"}).Draw(m.rt, "parent"))}
			o.Seen = rapid.Bool().Draw(m.rt, "seen")
		}
		outcomes = append(outcomes, o)
	}
	for _, blocked := range []bool{false, true} { // what is delivered comes first
		for _, o := range outcomes {
			if blocked == (o.Result == ledger.OutcomeBlocked) {
				i := slices.IndexFunc(m.deliveries, func(d *delivery) bool { return d.id == o.DeliveryID })
				m.settleOne(m.deliveries[i], o, now)
			}
		}
	}
	m.ok(m.Settle(m.Context(), m.claims[token].claim.Token, outcomes))
	for _, d := range m.deliveries {
		if d.claim == token {
			d.claim = ""
		}
	}
	delete(m.claims, token)
}

func (m *model) settleOne(d *delivery, o ledger.Outcome, now time.Time) {
	switch o.Result {
	case ledger.OutcomeDelivered:
		d.delivered = max(d.delivered, d.version)
		if d.wanted <= d.version {
			d.state = "delivered"
		}
		d.anew()
		m.closeLetter(d)
		m.wake(d)
	case ledger.OutcomeRetry:
		d.attempts++
		d.due, d.blocked = o.RetryAt, time.Time{}
		if d.firstFail.IsZero() {
			d.firstFail = now
		}
		if o.Lost {
			d.suspect++
		} else {
			d.suspect = 0
		}
	case ledger.OutcomeWait:
		d.due = o.RetryAt
	case ledger.OutcomeBlocked:
		m.block(d, o, now)
	case ledger.OutcomeDead:
		if d.wanted > d.version {
			d.anew()
			return
		}
		m.closeLetter(d)
		d.state, d.letter = "dead", true
		m.letters[d.destination]++
	}
}

func (m *model) block(d *delivery, o ledger.Outcome, now time.Time) {
	d.due, d.suspect = o.RetryAt, 0
	if d.blocked.IsZero() {
		d.blocked = now
	}
	for _, p := range o.Parents {
		if d.parents == nil {
			d.parents = map[string]bool{}
		}
		d.parents[p.PlatformID] = true
		if !o.Seen && slices.ContainsFunc(m.deliveries, func(x *delivery) bool {
			return x.destination == d.destination && x.record == p.PlatformID && x.delivered > 0
		}) {
			d.due = time.Time{}
		}
	}
}

// wake makes those due that wait for what was delivered.
func (m *model) wake(parent *delivery) {
	if parent.record == "" {
		return
	}
	for _, d := range m.deliveries {
		if d.destination == parent.destination && d.parents[parent.record] {
			delete(d.parents, parent.record)
			if !d.blocked.IsZero() {
				d.due = time.Time{}
			}
		}
	}
}

func (m *model) closeLetter(d *delivery) {
	if d.letter {
		d.letter = false
		m.letters[d.destination]--
	}
}

// settleLate settles a claim all of whose leases are lost: nothing happens.
func (m *model) settleLate() {
	tokens := m.live(false)
	if len(tokens) == 0 {
		return
	}
	token := tokens[rapid.IntRange(0, len(tokens)-1).Draw(m.rt, "claim")]
	var outcomes []ledger.Outcome
	for _, item := range m.claims[token].claim.Items {
		outcomes = append(outcomes, ledger.Outcome{DeliveryID: item.ID, Result: ledger.OutcomeDead, Message: "late"})
	}
	m.ok(m.Settle(m.Context(), m.claims[token].claim.Token, outcomes))
	delete(m.claims, token)
}

func (m *model) retry() {
	dest := m.destination()
	batch, n, err := m.RetryDeadLetters(m.Context(), ledger.DeadLetterFilter{Destination: dest})
	m.ok(err)
	if n != m.letters[dest] || (batch == 0) != (n == 0) {
		m.rt.Fatalf("retried %d in batch %d, want %d", n, batch, m.letters[dest])
	}
	if n == 0 {
		return
	}
	m.batches = append(m.batches, batch)
	for _, d := range m.deliveries {
		if d.destination == dest && d.letter {
			d.batch, d.state = batch, "waiting"
			d.anew()
			m.closeLetter(d)
		}
	}
}

func (m *model) discard() {
	dest := m.destination()
	n, err := m.DiscardDeadLetters(m.Context(), ledger.DeadLetterFilter{Destination: dest})
	m.ok(err)
	if n != m.letters[dest] {
		m.rt.Fatalf("discarded %d, want %d", n, m.letters[dest])
	}
	for _, d := range m.deliveries {
		if d.destination == dest {
			m.closeLetter(d)
		}
	}
}

// check compares everything that can be asked, of some batches.
func (m *model) check(some []int64) {
	type count struct{ waiting, dead int }
	batches := map[int64]map[string]*count{}
	totals := map[string]*ledger.DestinationState{}
	for _, d := range m.destinations {
		totals[d] = &ledger.DestinationState{}
	}
	for _, d := range m.deliveries {
		if batches[d.batch] == nil {
			batches[d.batch] = map[string]*count{}
		}
		c := batches[d.batch][d.destination]
		if c == nil {
			c = &count{}
			batches[d.batch][d.destination] = c
		}
		switch d.state {
		case "waiting":
			c.waiting++
			totals[d.destination].Waiting++
		case "delivered":
			totals[d.destination].Delivered++
		case "dead":
			c.dead++
			totals[d.destination].Dead++
		}
	}
	for _, b := range some {
		want := map[string]int{}
		for _, dest := range m.destinations {
			c := batches[b][dest]
			if c == nil {
				c = &count{}
			}
			if c.waiting > 0 {
				want[dest] = c.waiting
			}
			if n, err := m.Dead(m.Context(), b, dest); err != nil || n != c.dead {
				m.rt.Fatalf("dead in batch %d at %s: %d (%v), want %d", b, dest, n, err, c.dead)
			}
		}
		if got, err := m.Pending(m.Context(), b); err != nil || !maps.Equal(got, want) {
			m.rt.Fatalf("pending in batch %d: %v (%v), want %v", b, got, err, want)
		}
	}
	var undone []int64
	for _, b := range m.batches {
		for _, c := range batches[b] {
			if c.waiting > 0 {
				undone = append(undone, b)
				break
			}
		}
	}
	if len(m.batches) > 0 {
		all, err := m.Undone(m.Context(), m.batches[0]-1, 1000)
		m.ok(err)
		var got []int64
		for _, b := range all {
			got = append(got, b.ID)
		}
		if !slices.Equal(got, undone) {
			m.rt.Fatalf("undone %v, want %v", got, undone)
		}
	}
	counts, err := m.DeliveryCounts(m.Context())
	m.ok(err)
	for _, c := range counts {
		if t := totals[c.Destination]; t != nil {
			t.Waiting, t.Delivered, t.Dead = t.Waiting-c.Waiting, t.Delivered-c.Delivered, t.Dead-c.Dead
		}
	}
	for dest, t := range totals {
		if t.Waiting != 0 || t.Delivered != 0 || t.Dead != 0 {
			m.rt.Fatalf("counts at %s differ by %+v: %+v", dest, *t, counts)
		}
		if l, err := m.ListDeadLetters(m.Context(), ledger.DeadLetterFilter{Destination: dest, Limit: 1000}); err != nil || len(l) != m.letters[dest] {
			m.rt.Fatalf("open dead letters at %s: %d (%v), want %d", dest, len(l), err, m.letters[dest])
		}
	}
}
