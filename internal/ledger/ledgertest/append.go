package ledgertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

var appendTests = map[string]func(*kit){
	"an event comes back as it was appended": func(k *kit) {
		in := k.ev()
		in.Body = []byte("{\"a\":\"\\u0000\xff\"}") // bytes, not text
		bare := event.Event{Source: "rootfi", ID: "bare", Kind: event.KindUnknown, ReceivedAt: in.ReceivedAt, Body: []byte(`1`)}
		a, b := k.append(in), k.append(bare)
		if a.Duplicate || a.EventID != in.ID || a.Seq <= 0 || b.Seq <= a.Seq {
			k.Fatalf("appended %+v, then %+v", a, b)
		}
		batch := k.claimBatch(10)
		got, err := k.Events(k.Context(), batch.ID, 0, 1<<20)
		k.must(err)
		in.Seq, bare.Seq = a.Seq, b.Seq
		if want := []event.Event{in, bare}; !reflect.DeepEqual(got, want) {
			k.Errorf("got  %+v\nwant %+v", got, want)
		}
	},
	"the same id is a duplicate within its source": func(k *kit) {
		first := k.ev()
		a := k.append(first)
		again := first
		again.Body = []byte(`{"other":1}`)
		again.ReceivedAt = first.ReceivedAt.Add(48 * time.Hour) // no window for real ids
		if d := k.append(again); !d.Duplicate || d.Seq != a.Seq || d.EventID != first.ID {
			k.Errorf("second: %+v, want a duplicate of %+v", d, a)
		}
		other := first
		other.Source = "elsewhere"
		if d := k.append(other); d.Duplicate || d.Seq == a.Seq {
			k.Errorf("other source: %+v, want a new event", d)
		}
		detail, err := k.EventByID(k.Context(), "rootfi", first.ID)
		k.must(err)
		if !bytes.Equal(detail.Body, first.Body) {
			k.Error("the duplicate replaced the body")
		}
	},
	"a hashed id counts only within the window": func(k *kit) {
		e := k.ev()
		e.HashedID = true
		at := func(d time.Duration) ledger.Appended {
			e := e
			e.ReceivedAt = e.ReceivedAt.Add(d)
			return k.append(e)
		}
		a := at(0)
		if d := at(window); !d.Duplicate || d.Seq != a.Seq || d.EventID != e.ID {
			k.Errorf("at the end of the window: %+v, want a duplicate of %+v", d, a)
		}
		// The duplicate does not move the window.
		b := at(window + time.Second)
		want := fmt.Sprintf("%s-%d", e.ID, e.ReceivedAt.Add(window+time.Second).UnixMilli())
		if b.Duplicate || b.EventID != want {
			k.Errorf("after the window: %+v, want a new event %s", b, want)
		}
		if d := at(2 * window); !d.Duplicate || d.Seq != b.Seq || d.EventID != b.EventID {
			k.Errorf("within the second window: %+v, want a duplicate of %+v", d, b)
		}
		c := at(4 * window)
		if c.Duplicate || c.EventID == b.EventID || c.EventID == a.EventID {
			k.Errorf("after the second window: %+v, want a new event", c)
		}
		// A clock that was set back finds the id of that millisecond taken.
		if d := at(window + time.Second); d.Duplicate || d.EventID == b.EventID {
			k.Errorf("after the clock went back: %+v, want a new event", d)
		}
		detail, err := k.EventByID(k.Context(), "rootfi", b.EventID)
		k.must(err)
		if !detail.HashedID || detail.Seq != b.Seq {
			k.Errorf("stored: %+v", detail.Event)
		}
	},
	"concurrent appends are each stored once": func(k *kit) {
		const senders, each = 16, 40
		var mu sync.Mutex
		stored := make(map[string]int64)
		fresh := 0
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for i := range each {
					// Every event is sent by two senders.
					e := event.Event{Source: "rootfi", ID: fmt.Sprintf("%d-%d", s/2, i), ReceivedAt: k.clock.now(), Body: []byte(`{}`)}
					a, err := k.Append(k.Context(), e)
					mu.Lock()
					switch old, ok := stored[e.ID]; {
					case err != nil:
						k.Error(err)
					case ok && old != a.Seq:
						k.Errorf("%s has two sequence numbers", e.ID)
					case !a.Duplicate:
						fresh++
					}
					stored[e.ID] = a.Seq
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		seqs := make(map[int64]bool)
		for _, s := range stored {
			seqs[s] = true
		}
		if want := senders * each / 2; fresh != want || len(seqs) != want {
			k.Errorf("%d new events with %d sequence numbers, want %d", fresh, len(seqs), want)
		}
	},
	"an append whose caller left is refused": func(k *kit) {
		ctx, cancel := context.WithCancel(k.Context())
		cancel()
		if _, err := k.Append(ctx, k.ev()); !errors.Is(err, context.Canceled) {
			k.Errorf("error %v, want context.Canceled", err)
		}
	},
	"the signal follows new events only": func(k *kit) {
		signalled := func() bool {
			select {
			case <-k.Signal():
				return true
			default:
				return false
			}
		}
		e := k.ev()
		k.append(e)
		k.append(k.ev())
		if !signalled() {
			k.Error("no signal after an append")
		}
		k.append(e)
		if signalled() {
			k.Error("a signal after a duplicate")
		}
	},
	"what was appended survives": func(k *kit) {
		e := k.ev()
		a := k.append(e)
		k.Ledger = k.store.Crash()
		b := k.append(k.ev())
		if d := k.append(e); !d.Duplicate || d.Seq != a.Seq || b.Seq <= a.Seq {
			k.Errorf("after the crash: %+v and %+v, first was %+v", d, b, a)
		}
		k.reopen()
		if d := k.append(e); !d.Duplicate || d.Seq != a.Seq {
			k.Errorf("after opening again: %+v", d)
		}
	},
}
