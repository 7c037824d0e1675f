package sandbox

import (
	"cmp"
	"slices"
)

// play tells one phase of the company's life.
func (c *company) play(phase Phase, yield func(*Event) bool) {
	e := &emitter{c: c, phase: phase, yield: yield}
	switch phase {
	case PhaseInitial:
		e.initial(nil)
	case PhaseIncremental:
		const rounds = 3
		for round := range rounds {
			c.now += 4 * day / 24
			if round == 1 {
				e.connection("EXPIRED")
				e.fail()
				c.now += 60_000
				e.connection("HEALTHY")
			}
			e.incremental(nil)
		}
		e.push()
	case PhaseFull:
		c.now += day
		e.full(nil)
		c.now += 2 * day
		e.revival(nil)
	}
}

// initial is the first sync: every record, parents first. Some come as a
// CREATE with little more than a name, followed by UPDATEs with the rest.
func (e *emitter) initial(s *Sync) {
	c := e.c
	c.build()
	e.connection("HEALTHY")
	e.begin(s, true)
	for _, model := range models {
		var whole, first []change
		var rest [][]change
		for _, r := range c.byModel[model] {
			if r.deleted {
				continue
			}
			if r.once || len(r.fields) < 8 || !c.chance(7) {
				whole = append(whole, change{r, r.fields})
				continue
			}
			parts := c.split(r)
			first = append(first, change{r, parts[0]})
			for i, p := range parts[1:] {
				if i == len(rest) {
					rest = append(rest, nil)
				}
				rest[i] = append(rest[i], change{r, p})
			}
		}
		// What is partial comes before and after what is whole, so that the
		// parts of one record are several webhooks apart.
		e.changes(model, opCreate, first)
		e.changes(model, opCreate, whole)
		for _, part := range rest {
			e.changes(model, opUpdate, part)
		}
	}
	e.complete()
}

// nameLike are the fields that a partial CREATE brings.
var nameLike = []string{"platform_id", "name", "document_number", "account_name", "rootfi_company_id"}

// split deals the fields of a record out to a CREATE and two or three UPDATEs.
func (c *company) split(r *record) [][]field {
	parts := make([][]field, 3+c.rng.IntN(2))
	for i := range parts[1:] {
		parts[i+1] = append(parts[i+1], r.fields[0])
	}
	next := 0
	for _, f := range r.fields {
		if slices.Contains(nameLike, f.name) {
			parts[0] = append(parts[0], f)
			continue
		}
		part := 1 + next%(len(parts)-1)
		parts[part] = append(parts[part], f)
		next++
	}
	return parts
}

// incremental is an auto sync: new records and partial updates.
func (e *emitter) incremental(s *Sync) {
	c := e.c
	c.build()
	e.begin(s, false)
	created := e.grow(1 + c.opts.Records/70)
	updated := make(map[string][]change)
	for _, ch := range c.touched {
		updated[ch.record.model] = append(updated[ch.record.model], ch)
	}
	c.touched = nil
	for _, model := range models {
		for _, r := range c.byModel[model] {
			if !r.deleted && !r.once && !created.has(r) && c.chance(13) {
				updated[model] = append(updated[model], change{r, c.mutate(r)})
			}
		}
	}
	for _, model := range models {
		e.changes(model, opCreate, whole(created.of(c, model)))
		e.updates(model, updated[model])
	}
	e.complete()
}

// grow makes about n new records of the models that grow.
func (e *emitter) grow(n int) newcomers {
	c := e.c
	from := make(newcomers)
	for model, records := range c.byModel {
		from[model] = len(records)
	}
	for range n {
		c.make(pick(c, []string{
			contacts, items, invoices, invoices, bills, expenses, invoiceCreditNotes, invoicePayments, invoicePayments,
			billPayments, journalEntries, bankTransactions, bankTransactions,
		}))
	}
	c.markOnce(from.of(c, expenses))
	c.markOnce(from.of(c, bankTransactions))
	// A payment of a document that is itself new is in the document already.
	c.touched = slices.DeleteFunc(c.touched, func(ch change) bool { return from.has(ch.record) })
	return from
}

// newcomers holds, per model, the place of the first new record.
type newcomers map[string]int

func (n newcomers) of(c *company, model string) []*record { return c.byModel[model][n[model]:] }

func (n newcomers) has(r *record) bool { return r.place >= n[r.model] }

// updates sends partial updates, a part of them field by field in two webhooks.
// A record never appears twice in one webhook.
func (e *emitter) updates(model string, all []change) {
	var once, again []change
	seen := make(map[*record]bool, len(all))
	for _, ch := range all {
		fields := withID(ch)
		switch {
		case seen[ch.record]:
			again = append(again, change{ch.record, fields})
		case len(fields) > 3 && e.c.chance(3):
			half := len(fields) / 2
			once = append(once, change{ch.record, fields[:half]})
			again = append(again, change{ch.record, append([]field{fields[0]}, fields[half:]...)})
		default:
			once = append(once, change{ch.record, fields})
		}
		seen[ch.record] = true
	}
	e.changes(model, opUpdate, once)
	for len(again) > 0 {
		var now, later []change
		clear(seen)
		for _, ch := range again {
			if seen[ch.record] {
				later = append(later, ch)
			} else {
				now = append(now, ch)
			}
			seen[ch.record] = true
		}
		e.changes(model, opUpdate, now)
		again = later
	}
}

func withID(ch change) []field {
	if len(ch.fields) > 0 && ch.fields[0].name == "platform_id" {
		return ch.fields
	}
	return append([]field{ch.record.fields[0]}, ch.fields...)
}

func whole(records []*record) []change {
	var out []change
	for _, r := range records {
		out = append(out, change{r, r.fields})
	}
	return out
}

// full resends everything, changed or not, as UPDATE; only then does the
// sender know what is gone, and sends DELETEs.
func (e *emitter) full(s *Sync) {
	c := e.c
	c.build()
	doomed := c.doomed(e.wants)
	// Gone from the platform now, so that nothing new refers to them; the
	// webhooks say so at the end.
	for _, r := range doomed {
		r.remove()
	}
	e.begin(s, true)
	created := e.grow(1 + c.opts.Records/200)
	c.touched = nil // all is resent below
	for _, model := range models {
		var resent []change
		for _, r := range c.byModel[model] {
			if r.deleted || r.once || created.has(r) {
				continue
			}
			if c.chance(20) {
				c.mutate(r)
			}
			resent = append(resent, change{r, c.rotate(r.fields)})
		}
		e.changes(model, opCreate, whole(created.of(c, model)))
		e.changes(model, opUpdate, resent)
	}
	c.now += 1000
	for _, model := range slices.Backward(models) {
		var gone []change
		for _, r := range doomed {
			if r.model == model {
				gone = append(gone, change{r, c.obituary(r)})
			}
		}
		e.changes(model, opDelete, gone)
	}
	c.buried = append(c.buried, doomed...)
	e.complete()
}

// rotate starts the fields elsewhere: the order of keys says nothing.
func (c *company) rotate(fields []field) []field {
	n := 1 + c.rng.IntN(len(fields)-1)
	return append(append(make([]field, 0, len(fields)), fields[n:]...), fields[:n]...)
}

// obituary is what a DELETE says of its record: the id, sometimes a little more.
func (c *company) obituary(r *record) []field {
	out := []field{r.fields[0]}
	if r.model == journalLines {
		return out
	}
	c.w.time("rootfi_deleted_at", c.now)
	deletedAt := c.w.take()
	r.set(deletedAt)
	r.changedAt = c.now
	if c.chance(2) {
		out = append(out, deletedAt...)
	}
	return out
}

// doomed picks the records that the platform lost: such that no living record
// is left pointing at one, and enough of each model stay.
func (c *company) doomed(wants func(model string) bool) []*record {
	var out []*record
	for _, model := range []string{
		invoicePayments, billPayments, expenses, bankTransactions, journalEntries, invoices, bills, contacts, items,
	} {
		if !wants(model) {
			continue
		}
		for i, r := range c.byModel[model] {
			if i < 4 || r.deleted || r.once || r.refs > len(r.lines) || !c.chance(15) {
				continue
			}
			out = append(out, r)
			for _, l := range r.lines {
				if !l.deleted {
					out = append(out, l)
				}
			}
		}
	}
	c.unlist(out)
	return out
}

// unlist keeps new payments away from documents that are about to go, and
// reopens the documents whose payments go.
func (c *company) unlist(gone []*record) {
	set := make(map[*record]bool, len(gone))
	for _, r := range gone {
		set[r] = true
	}
	isGone := func(r *record) bool { return set[r] }
	for _, model := range []string{invoices, bills} {
		c.unpaid[model] = slices.DeleteFunc(c.unpaid[model], isGone)
	}
	for _, r := range gone {
		if r.model != invoicePayments && r.model != billPayments {
			continue
		}
		for _, p := range r.parents {
			switch p.model {
			case invoices, bills:
				if p.open == 0 {
					c.unpaid[p.model] = append(c.unpaid[p.model], p)
				}
				c.settle(p, r.amount, "amount_due")
			case invoiceCreditNotes, billCreditNotes:
				if p.open == 0 {
					c.credit[p.model] = append(c.credit[p.model], p)
				}
				c.settle(p, r.amount, "remaining_credit")
			}
		}
	}
}

// revival brings back some records that were deleted: the platform had only
// hidden them. Some come back with a few fields only.
func (e *emitter) revival(s *Sync) {
	c := e.c
	e.begin(s, false)
	revived := make(map[string][]change)
	partial := make(map[string][]change)
	n := 0
	// Oldest first is parents first within one full sync.
	slices.SortStableFunc(c.buried, func(a, b *record) int {
		return cmp.Compare(slices.Index(models, a.model), slices.Index(models, b.model))
	})
	c.buried = slices.DeleteFunc(c.buried, func(r *record) bool {
		orphan := slices.ContainsFunc(r.parents, func(p *record) bool { return p.deleted })
		payment := r.model == invoicePayments || r.model == billPayments
		if orphan || payment || n > 0 && !c.chance(6) {
			return false
		}
		n++
		r.revive()
		if r.model != journalLines {
			c.w.literal("rootfi_deleted_at", "null")
		}
		fields := c.mutate(r)
		if c.chance(3) {
			revived[r.model] = append(revived[r.model], change{r, r.fields})
		} else {
			partial[r.model] = append(partial[r.model], change{r, fields})
		}
		return true
	})
	for _, model := range models {
		e.changes(model, opCreate, revived[model])
		e.updates(model, partial[model])
	}
	e.complete()
}
