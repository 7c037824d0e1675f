package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/postgres"
	"github.com/sluicehq/sluice/internal/pgtest"
)

// crashURL names the database for the process that is to be killed.
const crashURL = "SLUICE_CRASH_TEST_URL"

// TestKilledAtAnyMoment kills processes in the middle of their work, two at a
// time, and goes on with what they left.
//
// Invariant 1: acknowledged means durable.
func TestKilledAtAnyMoment(t *testing.T) {
	url := pgtest.URL(t)
	open(t, postgres.Options{URL: url})
	acked := make(map[string]int64)
	settled := make(map[string]int64)
	for round := range 6 {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for n := range 2 {
			wg.Go(func() {
				// Every other life lasts until something is settled, however slow the
				// machine is.
				begun := [...]string{"", "settled"}[n]
				lines, err := killed(fmt.Sprint(round, "-", n), url, begun)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, line := range lines {
					var what, id string
					var number int64
					if _, err := fmt.Sscan(line, &what, &id, &number); err != nil {
						t.Errorf("%q: %v", line, err)
					}
					if what == "appended" {
						acked[id] = number
					} else {
						settled[id] = max(settled[id], number)
					}
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		checkAfterCrash(t, url, acked, settled)
	}
	if len(acked) == 0 || len(settled) == 0 {
		t.Errorf("only %d events were acknowledged and %d records settled", len(acked), len(settled))
	}
	t.Logf("%d events acknowledged, %d records settled", len(acked), len(settled))
}

// killed runs a process until it says a line that begins so, and a moment more,
// and returns what it said.
func killed(name, url, begun string) (lines []string, err error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashURL+"="+url, "SLUICE_CRASH_TEST_NAME="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	read, working := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		works := sync.OnceFunc(func() { close(working) })
		for r := bufio.NewReader(out); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return // what is cut off was not acknowledged
			}
			lines = append(lines, line)
			if strings.HasPrefix(line, begun) {
				works()
			}
		}
	}()
	select {
	case <-working:
	case <-read:
		return nil, errors.Join(errors.New("the process ended by itself"), cmd.Wait())
	}
	timer := time.NewTimer(time.Duration(20+rand.IntN(200)) * time.Millisecond)
	<-timer.C
	err = cmd.Process.Kill()
	<-read
	_ = cmd.Wait() // it was killed
	return lines, err
}

func checkAfterCrash(t *testing.T, url string, acked, settled map[string]int64) {
	t.Helper()
	l := open(t, postgres.Options{URL: url})
	stored := query[map[string]int64](t, url, `SELECT coalesce(json_object_agg(event_id, seq), '{}') FROM events`)
	for id, seq := range acked {
		if stored[id] != seq {
			t.Fatalf("event %s was acknowledged as %d, stored is %d", id, seq, stored[id])
		}
	}
	for id, version := range settled {
		r, err := l.RecordsByKey(t.Context(), event.RecordKey{PlatformID: id})
		if err != nil {
			t.Fatal(err)
		}
		if d := r[0].Deliveries[0]; d.Delivered < version {
			t.Fatalf("record %s was settled at version %d, stored is %d", id, version, d.Delivered)
		}
	}
	// Everything that is not done is found again; what the dead held is free when
	// its time is over.
	query[int64](t, url, `WITH u AS (UPDATE leases SET until = clock_timestamp() - interval '1 s' RETURNING 1) SELECT count(*) FROM u`)
	all, err := l.Undone(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		drive(t.Context(), l, b, io.Discard)
	}
	for {
		b, ok, err := l.ClaimBatch(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		drive(t.Context(), l, b, io.Discard)
	}
	drain(t, l)
	checkTables(t, url)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// crashChild appends and delivers until it is killed, and says what it was told.
func crashChild(url string) {
	ctx := context.Background()
	l, err := postgres.Open(ctx, postgres.Options{URL: url})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for s := range 8 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s-%d-%d", os.Getenv("SLUICE_CRASH_TEST_NAME"), s, i)
				a, err := l.Append(ctx, event.Event{Source: "rootfi", ID: id, Body: make([]byte, 100+i%3000)})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				// One write: a line is there whole or not at all.
				fmt.Fprintf(os.Stdout, "appended %s %d\n", id, a.Seq)
			}
		}()
	}
	for {
		b, ok, err := l.ClaimBatch(ctx, 20)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if ok {
			drive(ctx, l, b, os.Stdout)
		}
	}
}

// drive applies a batch in two chunks and delivers it.
func drive(ctx context.Context, l *postgres.Ledger, b ledger.Batch, out io.Writer) {
	if !b.Applied {
		half := len(b.Events) / 2
		for i, refs := range [][]ledger.EventRef{b.Events[:half], b.Events[half:]} {
			if _, err := l.Apply(ctx, ledger.Application{Batch: b.ID, Final: i == 1, Route: toD, Changes: changes(refs)}); err != nil {
				panic(err)
			}
		}
	}
	for {
		c, err := l.Claim(ctx, ledger.ClaimRequest{Destination: "d", Batch: b.ID, Limit: 10, Lease: time.Minute})
		if err != nil {
			panic(err)
		}
		if len(c.Items) == 0 {
			return
		}
		var outcomes []ledger.Outcome
		for _, d := range c.Items {
			outcomes = append(outcomes, ledger.Outcome{DeliveryID: d.ID, Result: ledger.OutcomeDelivered, Version: d.Record.Version})
		}
		if err := l.Settle(ctx, c.Token, outcomes); err != nil {
			panic(err)
		}
		for _, d := range c.Items {
			fmt.Fprintf(out, "settled %s %d\n", d.Record.Key.PlatformID, d.Record.Version)
		}
	}
}

// The server goes away and comes back: appends are refused at once meanwhile,
// what was acknowledged is there, and all goes on by itself.
func TestAServerThatComesBack(t *testing.T) {
	server := pgtest.Own(t)
	l := open(t, postgres.Options{URL: server.URL()})
	acked := make(map[string]int64)
	add := func(id string) error {
		a, err := l.Append(t.Context(), event.Event{Source: "rootfi", ID: id})
		if err == nil {
			acked[id] = a.Seq
		}
		return err
	}
	for i := range 20 {
		if err := add(fmt.Sprint("before-", i)); err != nil {
			t.Fatal(err)
		}
	}
	b, _, err := l.ClaimBatch(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		server.Crash(t)
		for i := range 50 {
			if err := add(fmt.Sprintf("away-%d-%d", round, i)); err == nil || !strings.Contains(err.Error(), "PostgreSQL does not answer") {
				t.Fatalf("appended while the server is away: %v", err)
			}
		}
		if _, err := l.Backlog(t.Context()); err == nil || !strings.Contains(err.Error(), "check that it runs") {
			t.Errorf("asked while the server is away: %v", err)
		}
		server.Start(t)
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if err := add(fmt.Sprintf("after-%d", round)); err == nil {
				break
			} else if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	for id, seq := range acked {
		if e, err := l.EventByID(t.Context(), "rootfi", id); err != nil || e.Seq != seq {
			t.Errorf("%s was acknowledged as %d: %+v, %v", id, seq, e, err)
		}
	}
	drive(t.Context(), l, b, io.Discard)
	// News is heard again too.
	other := open(t, postgres.Options{URL: server.URL()})
	for end := time.Now().Add(20 * time.Second); query[int64](t, server.URL(), `SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`) != 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not both of them listen")
		}
	}
	for drained := false; !drained; {
		select {
		case <-l.Signal():
		default:
			drained = true
		}
	}
	if _, err := other.Append(t.Context(), event.Event{Source: "rootfi", ID: "news"}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-l.Signal():
	case <-time.After(10 * time.Second):
		t.Error("no news after the server came back")
	}
	checkTables(t, server.URL())
}
