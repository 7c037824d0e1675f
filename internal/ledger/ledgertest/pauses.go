package ledgertest

import (
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

var pauseTests = map[string]func(*kit){
	"a pause lasts until it is cleared": func(k *kit) {
		p := ledger.Pause{Destination: "d", Reason: ledger.PauseThrottled, Message: "slow down", Since: k.clock.now(), Until: k.clock.now().Add(time.Hour)}
		k.must(k.Pause(k.Context(), p))
		k.Ledger = k.store.Crash()
		all, err := k.Pauses(k.Context())
		k.must(err)
		same(k, "pauses", all, []ledger.Pause{p})
		states, err := k.DestinationStates(k.Context())
		k.must(err)
		if len(states) != 1 || states[0].Pause == nil || *states[0].Pause != p {
			k.Errorf("states %+v", states)
		}
		k.must(k.Resume(k.Context(), "d"))
		k.must(k.Resume(k.Context(), "d"))
		all, err = k.Pauses(k.Context())
		k.must(err)
		same(k, "pauses", all, nil)
	},
	"an operator's pause is not replaced": func(k *kit) {
		pause := func(reason string, until time.Time) {
			k.must(k.Pause(k.Context(), ledger.Pause{Destination: "d", Reason: reason, Since: k.clock.now(), Until: until}))
		}
		check := func(reason string, until time.Time) {
			k.Helper()
			all, err := k.Pauses(k.Context())
			k.must(err)
			if len(all) != 1 || all[0].Reason != reason || !all[0].Until.Equal(until) {
				k.Errorf("pauses %+v, want one for reason %s until %s", all, reason, until)
			}
		}
		soon := k.clock.now().Add(time.Minute)
		pause(ledger.PauseThrottled, soon)
		pause(ledger.PauseMisconfigured, time.Time{})
		check(ledger.PauseMisconfigured, time.Time{})
		pause(ledger.PauseOperator, time.Time{})
		check(ledger.PauseOperator, time.Time{})
		pause(ledger.PauseThrottled, soon)
		check(ledger.PauseOperator, time.Time{})
		pause(ledger.PauseOperator, soon)
		check(ledger.PauseOperator, soon)
	},
	"only the pause that was seen ends": func(k *kit) {
		soon := k.clock.now().Add(time.Minute)
		seen := ledger.Pause{Destination: "d", Reason: ledger.PauseThrottled, Since: k.clock.now(), Until: soon}
		end := func(what string, want bool) {
			k.Helper()
			if got, err := k.EndPause(k.Context(), seen); err != nil || got != want {
				k.Errorf("%s: ended %v, %v, want %v", what, got, err, want)
			}
		}
		end("none", false)
		k.must(k.Pause(k.Context(), seen))
		longer := seen
		longer.Until = soon.Add(time.Minute)
		k.must(k.Pause(k.Context(), longer))
		end("a longer one", false)
		k.must(k.Pause(k.Context(), ledger.Pause{Destination: "d", Reason: ledger.PauseOperator, Since: k.clock.now()}))
		end("an operator's", false)
		k.must(k.Resume(k.Context(), "d"))
		k.must(k.Pause(k.Context(), seen))
		end("the same", true)
		end("twice", false)
	},
	"pauses do not use up the time for retries": func(k *kit) {
		b, other := k.book(1, "d"), k.book(1, "e")
		fail := ledger.Outcome{Result: ledger.OutcomeRetry}
		k.settle(k.claimN("d", b.ID, 10, 1), fail)
		k.settle(k.claimN("e", other.ID, 10, 1), fail)
		failed := k.clock.now()
		for _, until := range []time.Duration{0, 20 * time.Minute} { // the second ends by itself
			k.clock.advance(time.Minute)
			p := ledger.Pause{Destination: "d", Reason: ledger.PauseThrottled, Since: k.clock.now()}
			if until > 0 {
				p.Until = p.Since.Add(until)
			}
			k.must(k.Pause(k.Context(), p))
			k.clock.advance(30 * time.Minute)
			k.must(k.Resume(k.Context(), "d"))
		}
		c := k.claimN("d", b.ID, 10, 1)
		if want := failed.Add(50 * time.Minute); !c.Items[0].FirstFail.Equal(want) {
			k.Errorf("first failure %s, want %s", c.Items[0].FirstFail, want)
		}
		if d := k.claimN("e", other.ID, 10, 1).Items[0]; !d.FirstFail.Equal(failed) {
			k.Errorf("of the other destination %s, want %s", d.FirstFail, failed)
		}
		// A failure after the pauses counts from itself.
		k.deliver(c)
		later := k.book(1, "d")
		k.settle(k.claimN("d", later.ID, 10, 1), fail)
		if d := k.claimN("d", later.ID, 10, 1).Items[0]; !d.FirstFail.Equal(k.clock.now()) {
			k.Errorf("later failure %s, want %s", d.FirstFail, k.clock.now())
		}
	},
	"a pause that is prolonged counts from its beginning": func(k *kit) {
		b := k.book(1, "d")
		k.settle(k.claimN("d", b.ID, 10, 1), ledger.Outcome{Result: ledger.OutcomeRetry})
		failed := k.clock.now()
		for range 3 {
			k.must(k.Pause(k.Context(), ledger.Pause{Destination: "d", Reason: ledger.PauseThrottled, Since: k.clock.now(), Until: k.clock.now().Add(2 * time.Minute)}))
			k.clock.advance(time.Minute)
		}
		k.must(k.Resume(k.Context(), "d"))
		if d := k.claimN("d", b.ID, 10, 1).Items[0]; !d.FirstFail.Equal(failed.Add(3 * time.Minute)) {
			k.Errorf("first failure %s, want %s", d.FirstFail, failed.Add(3*time.Minute))
		}
	},
	"the pause of a part is not one of the destination": func(k *kit) {
		until := k.clock.now().Add(time.Hour)
		object := ledger.Pause{Destination: "d", Scope: ledger.ScopeObject, Part: "invoices", Reason: ledger.PauseThrottled, Message: "slow", Since: k.clock.now(), Until: until}
		account := object
		account.Scope, account.Part = ledger.ScopeAccount, "c1"
		whole := ledger.Pause{Destination: "d", Reason: ledger.PauseDown, Since: k.clock.now(), Until: until}
		for _, p := range []ledger.Pause{account, object, whole} {
			k.must(k.Pause(k.Context(), p))
		}
		k.Ledger = k.store.Crash()
		all, err := k.Pauses(k.Context())
		k.must(err)
		same(k, "pauses", all, []ledger.Pause{whole, account, object})
		states, err := k.DestinationStates(k.Context())
		k.must(err)
		if len(states) != 1 || *states[0].Pause != whole {
			k.Fatalf("states %+v", states)
		}
		same(k, "parts", states[0].Parts, []ledger.Pause{account, object})

		// A later end counts, an earlier one does not.
		k.clock.advance(time.Minute)
		shorter, longer := object, account
		shorter.Until, shorter.Since, longer.Until, longer.Since = until.Add(-time.Minute), k.clock.now(), until.Add(time.Minute), k.clock.now()
		k.must(k.Pause(k.Context(), shorter))
		k.must(k.Pause(k.Context(), longer))
		longer.Since = account.Since // one goes on in the other
		if ended, err := k.EndPause(k.Context(), account); err != nil || ended {
			k.Errorf("ended one that was prolonged: %v, %v", ended, err)
		}
		if ended, err := k.EndPause(k.Context(), object); err != nil || !ended {
			k.Errorf("did not end the one that was seen: %v, %v", ended, err)
		}
		all, err = k.Pauses(k.Context())
		k.must(err)
		same(k, "pauses", all, []ledger.Pause{whole, longer})
	},
	"what is held for a part does not use up its time, and is due when resumed": func(k *kit) {
		b := k.book(1, "d")
		k.settle(k.claimN("d", b.ID, 10, 1), ledger.Outcome{Result: ledger.OutcomeRetry})
		failed, until := k.clock.now(), k.clock.now().Add(20*time.Hour)
		k.must(k.Pause(k.Context(), ledger.Pause{Destination: "d", Scope: ledger.ScopeObject, Part: "x", Reason: ledger.PauseThrottled, Since: failed, Until: until}))
		k.settle(k.claimN("d", b.ID, 10, 1), ledger.Outcome{Result: ledger.OutcomeWait, Held: true, RetryAt: until})
		k.claimN("d", b.ID, 10, 0)
		k.must(k.Resume(k.Context(), "d"))
		all, err := k.Pauses(k.Context())
		k.must(err)
		same(k, "pauses", all, nil)
		k.clock.advance(30 * time.Hour) // a first failure is not ahead of its time
		if d := k.claimN("d", b.ID, 10, 1).Items[0]; !d.FirstFail.Equal(failed.Add(20*time.Hour)) || d.Attempts != 1 {
			k.Errorf("first failure %s after %d attempts, want %s after 1", d.FirstFail, d.Attempts, failed.Add(20*time.Hour))
		}
	},
	"one of several prolongs a pause": func(k *kit) {
		seen := ledger.Pause{Destination: "d", Reason: ledger.PauseDown, Message: "m", Since: k.clock.now(), Until: k.clock.now().Add(time.Minute)}
		k.must(k.Pause(k.Context(), seen))
		later := seen.Until.Add(time.Minute)
		for i, want := range []bool{true, false} {
			if got, err := k.ExtendPause(k.Context(), seen, later); err != nil || got != want {
				k.Errorf("call %d: %v, %v, want %v", i, got, err, want)
			}
		}
		want := seen
		want.Until = later
		all, err := k.Pauses(k.Context())
		k.must(err)
		same(k, "pauses", all, []ledger.Pause{want})
		k.must(k.Resume(k.Context(), "d"))
		if got, err := k.ExtendPause(k.Context(), want, later.Add(time.Minute)); err != nil || got {
			k.Errorf("prolonged one that is over: %v, %v", got, err)
		}
	},
}
