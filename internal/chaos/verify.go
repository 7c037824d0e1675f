package chaos

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // reads the PostgreSQL warehouse
	_ "modernc.org/sqlite"             // reads the SQLite warehouse

	"github.com/sluicehq/sluice/internal/demo"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/proc"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// verify waits until everything is delivered, stops the servers, and looks at
// all that they left.
func (w *world) verify(ctx context.Context, sb *sandbox.Sandbox, sent sandbox.Report) {
	r := w.report
	began := time.Now()
	for _, n := range w.nodes {
		if err := n.awaitReady(ctx); err != nil {
			r.fail(wrongServer, "when all is well again: %v", err)
			return
		}
	}
	first := w.nodes[0]
	if _, err := demo.Drained(ctx, first.Client, healTime); err != nil {
		r.fail(wrongLoss, "%v%s", err, w.standing(ctx))
	}
	r.Healed = time.Since(began)
	stored, err := storedEvents(ctx, first)
	if err != nil {
		r.fail(wrongDriver, "list the events: %v", err)
		return
	}
	letters, err := deadLetters(ctx, first)
	if err != nil {
		r.fail(wrongDriver, "list the dead letters: %v", err)
		return
	}
	t := tellTruth(sb, w.acks, stored)
	t.judgeLoss(r)
	r.Uncertain = t.uncertain
	r.Dead = len(letters)
	judgeDead(r, letters)

	w.stopAll()
	w.judgeWarehouses(ctx, t)
	w.judgeTrail(t)
	seen := w.receiver.sightings()
	r.Seen[destHook] = len(seen)
	judgeHook(r, seen, t.expected)
	w.judgeLedgers(ctx)
	w.judgeLogs()
}

// standing tells what is not delivered.
func (w *world) standing(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s, err := w.nodes[0].Client.Status(ctx)
	if err != nil {
		return ": " + err.Error()
	}
	text := fmt.Sprintf(": backlog %d events, %d batches", s.Backlog.Events, s.Backlog.Batches)
	for _, d := range s.Deliveries {
		if d.Waiting > 0 {
			text += fmt.Sprintf("; %d %s wait for %s", d.Waiting, d.Model, d.Destination)
		}
	}
	return text
}

// storedEvent is an event as the server lists it.
type storedEvent struct {
	id      string
	applied bool
}

func storedEvents(ctx context.Context, n *node) (out []storedEvent, err error) {
	for before := ""; ; {
		page, err := n.Client.Events(ctx, map[string]string{"limit": "1000", "before": before})
		if err != nil || len(page) == 0 {
			return out, err
		}
		for _, e := range page {
			out = append(out, storedEvent{e.ID, e.State == "applied"})
			before = fmt.Sprint(e.Seq)
		}
	}
}

func deadLetters(ctx context.Context, n *node) (out []ledger.DeadLetter, err error) {
	for before := ""; ; {
		page, err := n.Client.DeadLetters(ctx, map[string]string{"limit": "1000", "before": before})
		if err != nil || len(page) == 0 {
			return out, err
		}
		out = append(out, page...)
		before = fmt.Sprint(page[len(page)-1].ID)
	}
}

// judgeDead allows only those dead letters that the receiver asked for.
func judgeDead(r *Report, letters []ledger.DeadLetter) {
	for _, l := range letters {
		switch {
		case l.ErrorKind == "":
			r.fail(wrongDead, "dead letter %d to %s gives no reason", l.ID, l.Destination)
		case l.Destination != destHook || !refused(l.Key.Model, l.Key.PlatformID):
			r.fail(wrongDead, "dead letter %d: %s to %s was given up: %s %s: %s", l.ID, l.Key, l.Destination, l.ErrorKind, l.Code, l.Message)
		}
	}
}

func (w *world) stopAll() {
	for _, n := range w.nodes {
		if err := n.stop(); err != nil {
			w.report.fail(wrongServer, "%v", err)
		}
		w.report.Restarts += n.starts - 1
	}
	plugins := filepath.Join(filepath.Dir(w.o.Sluice), "plugins")
	judgeOrphans(w.report, func(p proc.Process) bool {
		return (p.Program == w.o.Sluice || strings.HasPrefix(p.Program, plugins)) && descends(p, os.Getpid())
	}, orphanTime)
}

// descends keeps apart what other runs with the same binaries have. A process
// whose parent died belongs to init, or to whoever collects orphans.
func descends(p proc.Process, pid int) bool {
	for p.PID > 1 && p.Parent != pid {
		parent, ok := proc.Find(p.Parent)
		if !ok {
			return true
		}
		if parent.PID == 1 {
			return true
		}
		p = parent
	}
	return p.Parent == pid
}

// orphanTime is how long a plugin may take to notice that its host is gone.
const orphanTime = 30 * time.Second

func judgeOrphans(r *Report, ours func(proc.Process) bool, patience time.Duration) {
	deadline := time.Now().Add(patience)
	left := proc.List(ours)
	for len(left) > 0 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
		left = proc.List(ours)
	}
	for _, p := range left {
		r.fail(wrongOrphan, "%v is left when all servers have ended", p)
	}
}

func (w *world) judgeWarehouses(ctx context.Context, t *truth) {
	compare := func(name, driver, source string, table func(string) string) {
		db, err := sql.Open(driver, source)
		if err != nil {
			w.report.fail(wrongDriver, "open %s: %v", name, err)
			return
		}
		defer db.Close()
		got, err := demo.Compare(ctx, db, table, t.expected)
		if err != nil {
			w.report.fail(wrongState, "%s: %v", name, err)
			return
		}
		for _, d := range got.Differences {
			w.report.fail(wrongState, "%s: %s", name, d)
		}
	}
	compare(destPostgres, "pgx", w.books, func(model string) string { return `"books"."` + strings.ToLower(model) + `"` })
	compare(destSQLite, "sqlite", "file:"+w.lite()+"?mode=ro", demo.SQLiteTable)
	found, changes, err := regressions(ctx, w.books)
	if err != nil {
		w.report.fail(wrongDriver, "read the log of the warehouse: %v", err)
	}
	w.report.Seen[destPostgres] = changes
	if changes < len(t.expected) && err == nil {
		w.report.fail(wrongDriver, "the log of the warehouse has %d changes for %d records", changes, len(t.expected))
	}
	for _, text := range found {
		w.report.fail(wrongRegression, "%s: %s", destPostgres, text)
	}
}

// judgeTrail looks for every change and every event, once.
func (w *world) judgeTrail(t *truth) {
	files, err := filepath.Glob(filepath.Join(w.trail(), "*.jsonl"))
	if err != nil {
		w.report.fail(wrongDriver, "%v", err)
	}
	got := make(map[string]int)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			w.report.fail(wrongDriver, "%v", err)
			return
		}
		for line := range bytes.Lines(text) {
			var l struct {
				Key string `json:"idempotency_key"`
			}
			if err := json.Unmarshal(line, &l); err != nil || !bytes.HasSuffix(line, []byte("\n")) {
				w.report.fail(wrongState, "%s: %s has a torn line: %v", destTrail, filepath.Base(file), err)
			}
			got[l.Key]++
			w.report.Seen[destTrail]++
		}
	}
	judgeKeys(w.report, destTrail, got, t.changes)
}

// judgeLedgers lets the command for it look at the ledger of every server.
func (w *world) judgeLedgers(ctx context.Context) {
	for _, n := range w.nodes {
		// It fails when it finds something: what it prints counts.
		out, err := exec.CommandContext(ctx, w.o.Sluice, "doctor", "-c", n.Config, "-o", "json").Output()
		judgeDoctor(w.report, n.name, out, err)
	}
}

func judgeDoctor(r *Report, name string, out []byte, err error) {
	var findings []ledger.Finding
	if jerr := json.Unmarshal(out, &findings); jerr != nil {
		r.fail(wrongLedger, "%s: sluice doctor: %v: %s", name, errors.Join(err, jerr), out)
		return
	}
	for _, f := range findings {
		if f.Check != "disk" { // the file system is small on purpose, to be filled
			r.fail(wrongLedger, "%s: sluice doctor: %s: %s: %s", name, f.Check, f.Object, f.Problem)
		}
	}
}

var panics = regexp.MustCompile(`(?m)^.*(?:panic:|fatal error:|this is a bug).*$`)

func (w *world) judgeLogs() {
	logs, err := filepath.Glob(filepath.Join(w.o.Dir, "server-*", "log"))
	if err != nil || len(logs) != len(w.nodes) {
		w.report.fail(wrongDriver, "the logs of the servers are %v: %v", logs, err)
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			w.report.fail(wrongDriver, "%v", err)
		}
		judgeLog(w.report, filepath.Base(filepath.Dir(log)), text)
	}
}

func judgeLog(r *Report, name string, text []byte) {
	for _, line := range panics.FindAll(text, 5) {
		r.fail(wrongPanic, "the log of %s: %s", name, line)
	}
}
