package sqlite_test

import (
	"bufio"
	"context"
	"encoding/json"
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
	"github.com/sluicehq/sluice/internal/ledger/sqlite"
)

// crashDir names the data directory for the process that is to be killed.
const crashDir = "SLUICE_CRASH_TEST_DIR"

// TestKilledAtAnyMoment kills a process in the middle of its work, again and
// again, and opens what it left.
//
// Invariant 1: acknowledged means durable.
func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	acked := make(map[string]string)   // event id → sequence number
	settled := make(map[string]string) // record → version
	for round := range 12 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashDir+"="+dir, fmt.Sprintf("SLUICE_CRASH_TEST_ROUND=%d", round))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var lines []string
		read := make(chan struct{})
		working := make(chan struct{})
		go func() {
			defer close(read)
			begun := false
			for r := bufio.NewReader(out); ; {
				line, err := r.ReadString('\n')
				if err != nil {
					return // what is cut off was not acknowledged
				}
				lines = append(lines, line)
				// Every other life lasts until something is settled, however slow
				// the machine is.
				if !begun && (round%2 == 0 || strings.HasPrefix(line, "settled")) {
					begun = true
					close(working)
				}
			}
		}()
		select {
		case <-working:
		case <-read:
			t.Fatal("the process ended by itself")
		}
		timer := time.NewTimer(time.Duration(10+rand.IntN(120)) * time.Millisecond)
		<-timer.C
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-read
		_ = cmd.Wait() // it was killed
		for _, line := range lines {
			f := strings.Fields(line)
			switch f[0] {
			case "appended":
				acked[f[1]] = f[2]
			case "settled":
				settled[f[1]] = f[2]
			}
		}
		checkAfterCrash(t, dir, acked, settled)
	}
	if len(acked) == 0 || len(settled) == 0 {
		t.Errorf("only %d events were acknowledged and %d records settled", len(acked), len(settled))
	}
	t.Logf("%d events acknowledged, %d records settled", len(acked), len(settled))
}

func checkAfterCrash(t *testing.T, dir string, acked, settled map[string]string) {
	t.Helper()
	l, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	stored := make(map[string]string)
	for before := int64(0); ; {
		page, err := l.ListEvents(t.Context(), ledger.EventFilter{BeforeSeq: before, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			stored[e.ID] = fmt.Sprint(e.Seq)
			before = e.Seq
		}
	}
	for id, seq := range acked {
		if stored[id] != seq {
			t.Fatalf("event %s was acknowledged as %s, stored is %q", id, seq, stored[id])
		}
	}
	for id, version := range settled {
		r, err := l.RecordsByKey(t.Context(), event.RecordKey{PlatformID: id})
		if err != nil {
			t.Fatal(err)
		}
		var v int64
		fmt.Sscan(version, &v)
		if d := r[0].Deliveries[0]; d.Delivered < v {
			t.Fatalf("record %s was settled at version %d, stored is %d", id, v, d.Delivered)
		}
	}
	// Everything that is not done is found again.
	drive(t.Context(), l, io.Discard)
	for {
		b, ok, err := l.ClaimBatch(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		driveBatch(t.Context(), l, b, io.Discard)
	}
	states, err := l.DestinationStates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if undone, err := l.Undone(t.Context(), 0, 10); err != nil || len(undone) != 0 {
		t.Fatalf("undone %+v, %v; %+v", undone, err, states)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkFiles(t, dir)
}

// crashChild appends and delivers until it is killed, and says what it was told.
func crashChild(dir string) {
	l, err := sqlite.Open(context.Background(), sqlite.Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx := context.Background()
	for s := range 8 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s-%d-%d", os.Getenv("SLUICE_CRASH_TEST_ROUND"), s, i)
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
	out := &lockedWriter{w: os.Stdout}
	for {
		b, ok, err := l.ClaimBatch(ctx, 20)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if ok {
			driveBatch(ctx, l, b, out)
		}
	}
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// drive finishes what is undone.
func drive(ctx context.Context, l *sqlite.Ledger, out io.Writer) {
	all, err := l.Undone(ctx, 0, 1<<20)
	if err != nil {
		panic(err)
	}
	for _, b := range all {
		driveBatch(ctx, l, b, out)
	}
}

// driveBatch applies a batch in two chunks, each event a change of one of fifty
// records, and delivers it.
func driveBatch(ctx context.Context, l *sqlite.Ledger, b ledger.Batch, out io.Writer) {
	if !b.Applied {
		half := len(b.Events) / 2
		for i, refs := range [][]ledger.EventRef{b.Events[:half], b.Events[half:]} {
			in := ledger.Application{Batch: b.ID, Final: i == 1, Route: func(ledger.Merged) []ledger.Want {
				return []ledger.Want{{Destination: "d", Route: "r"}}
			}}
			for _, r := range refs {
				in.Changes = append(in.Changes, event.Change{
					Key:       event.RecordKey{Source: "rootfi", Model: "INVOICES", PlatformID: fmt.Sprint(r.Seq % 50)},
					Operation: event.Update, Stamp: event.Stamp{At: r.Seq, Seq: r.Seq},
					Fields: map[string]json.RawMessage{"n": json.RawMessage(fmt.Sprint(r.Seq))},
				})
			}
			if _, err := l.Apply(ctx, in); err != nil {
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
