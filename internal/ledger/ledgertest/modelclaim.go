package ledgertest

import (
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
	"pgregory.net/rapid"
)

// claimSome claims and judges what came: it may be had, it is the best there
// is, and suspects are by themselves.
func (m *model) claimSome() {
	now := m.clock.now()
	in := ledger.ClaimRequest{
		Destination: m.destination(), Limit: rapid.IntRange(1, 6).Draw(m.rt, "limit"),
		Lease: time.Duration(rapid.IntRange(10, 60).Draw(m.rt, "lease")) * time.Second,
	}
	if len(m.batches) > 0 && rapid.Bool().Draw(m.rt, "own") {
		in.Batch = rapid.SampledFrom(m.batches).Draw(m.rt, "batch")
	}
	got, err := m.Claim(m.Context(), in)
	m.ok(err)

	var eligible []*delivery
	for _, d := range m.deliveries {
		if d.destination == in.Destination && d.state == "waiting" && !d.due.After(now) && !m.leased(d) {
			eligible = append(eligible, d)
		}
	}
	rank := func(batch int64) int64 {
		if batch == in.Batch {
			return 0
		}
		return batch
	}
	var ranks, want []int64
	suspects, limit := 0, in.Limit
	for _, item := range got.Items {
		i := slices.IndexFunc(eligible, func(d *delivery) bool {
			if item.Record != nil {
				return d.record == item.Record.Key.PlatformID
			}
			return d.seq == item.Event.Seq
		})
		if i < 0 {
			m.rt.Fatalf("claimed %+v, which nobody may claim now", item)
		}
		m.take(eligible[i], item, got.Token.ID)
		eligible = slices.Delete(eligible, i, i+1)
		ranks = append(ranks, rank(item.Batch))
		if item.Suspect > 0 {
			suspects++
			limit = min(limit, max(1, in.Limit>>(2*item.Suspect)))
		}
	}
	if suspects != 0 && suspects != len(got.Items) {
		m.rt.Fatalf("%d suspects among %d deliveries", suspects, len(got.Items))
	}
	if len(got.Items) > limit || len(got.Items) == 0 && len(eligible) > 0 {
		m.rt.Fatalf("claimed %d of up to %d, %d are left", len(got.Items), limit, len(eligible))
	}
	if suspects == 0 {
		// The best of those that are no suspects, and as many as there may be.
		want = slices.Clone(ranks)
		for _, d := range eligible {
			if d.suspect == 0 {
				want = append(want, rank(d.batch))
			}
		}
		slices.Sort(want)
		want = want[:min(len(want), in.Limit)]
		if !slices.Equal(ranks, want) {
			m.rt.Fatalf("claimed from batches %v, want %v (0 is the own one)", ranks, want)
		}
	}
	m.claims[got.Token.ID] = &heldClaim{claim: got, expires: now.Add(in.Lease)}
	m.checkRest(in, got)
}

// take compares a claimed delivery with the model and leases it there.
func (m *model) take(d *delivery, item ledger.Delivery, token string) {
	version := item.Wanted
	if item.Record != nil {
		version = item.Record.Version
		if version != m.records[d.record].Version {
			m.rt.Fatalf("claimed version %d of %s, want %d", version, d.record, m.records[d.record].Version)
		}
	}
	if d.id != 0 && d.id != item.ID || item.Batch != d.batch || item.Wanted != d.wanted || item.Delivered != d.delivered && d.record != "" ||
		item.Attempts != d.attempts || item.Suspect != d.suspect || !item.FirstFail.Equal(d.firstFail) || !item.Blocked.Equal(d.blocked) {
		m.rt.Fatalf("claimed %+v, want %+v", item, *d)
	}
	d.id, d.claim, d.version = item.ID, token, version
}

// checkRest compares what the claim says of the deliveries it left.
func (m *model) checkRest(in ledger.ClaimRequest, got ledger.Claim) {
	if in.Batch == 0 {
		return
	}
	left, leased, ready := 0, 0, false
	var next time.Time
	for _, d := range m.deliveries {
		if d.destination != in.Destination || d.batch != in.Batch || d.state != "waiting" || d.claim == got.Token.ID {
			continue
		}
		left++
		switch {
		case m.leased(d):
			leased++
		case !d.due.After(m.clock.now()):
			ready = true
		case next.IsZero() || d.due.Before(next):
			next = d.due
		}
	}
	if ready {
		next = time.Time{}
	}
	if got.OwnLeft != left || got.OwnLeased != leased || !got.NextDue.Equal(next) {
		m.rt.Fatalf("claim says %d left, %d leased, next due %s; want %d, %d, %s", got.OwnLeft, got.OwnLeased, got.NextDue, left, leased, next)
	}
}
