package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

var _ ledger.Checker = (*Checker)(nil)

// Checker looks at the ledger of a data directory that nobody uses. It changes
// nothing in the files.
type Checker struct {
	dir  string
	lock *dirLock
	conn *conn // of events.db, with state.db attached
}

// OpenChecker keeps other processes out of the data directory until Close.
// fs.ErrNotExist says that there is no ledger.
func OpenChecker(ctx context.Context, dir string) (c *Checker, err error) {
	c = &Checker{dir: dir}
	for _, name := range []string{"events", "state"} {
		if _, err := os.Stat(c.file(name)); err != nil {
			return nil, fmt.Errorf("ledger: check: %w", err)
		}
	}
	if c.lock, err = lockDir(dir); err != nil {
		return nil, fmt.Errorf("ledger: check: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(explain(err, "check %s", dir), c.Close())
		}
	}()
	c.conn, err = dialURL(fileURL(c.file("events"))+"?mode=ro", "busy_timeout=10000", "temp_store=FILE", "cache_size=-65536")
	if err != nil {
		return c, err
	}
	if _, err := c.conn.exec(`ATTACH ? AS s`, fileURL(c.file("state"))+"?mode=ro"); err != nil {
		return c, err
	}
	return c, c.sameSchema(ctx)
}

func (c *Checker) file(name string) string { return filepath.Join(c.dir, "ledger", name+".db") }

// Close lets others in again.
func (c *Checker) Close() error {
	var err error
	if c.conn != nil {
		err = c.conn.close()
	}
	return errors.Join(err, c.lock.release())
}

// sameSchema refuses what this program does not know: its rules are not that
// ledger's.
func (c *Checker) sameSchema(ctx context.Context) error {
	for schema, name := range map[string]string{"main": "events", "s": "state"} {
		want, err := newest(name)
		if err != nil {
			return err
		}
		var have int64
		if _, err := c.conn.one(ctx, `SELECT max(version_id) FROM `+schema+`.goose_db_version WHERE is_applied = 1`,
			func(r row) { have = r.int(0) }); err != nil {
			return err
		}
		switch {
		case have > want:
			return fmt.Errorf("%s.db has schema version %d, this sluice knows %d: check it with the sluice that wrote it", name, have, want)
		case have < want:
			return fmt.Errorf("%s.db has schema version %d, this sluice writes %d: start sluice serve once, which migrates it", name, have, want)
		}
	}
	return nil
}

// shown is how many findings of one kind are reported one by one.
const shown = 20

// Check implements [ledger.Checker].
func (c *Checker) Check(ctx context.Context, report func(ledger.Finding)) error {
	damaged, err := c.integrity(ctx, report)
	if err != nil || damaged {
		// What the rows of a damaged file say is worth nothing.
		return explain(err, "check %s", c.dir)
	}
	for _, r := range rules {
		n := 0
		err := c.conn.query(ctx, r.query, func(row row) error {
			if n++; n <= shown {
				report(ledger.Finding{Check: r.check, Object: row.text(0), Problem: row.text(1), Advice: r.advice})
			}
			return nil
		})
		if err != nil {
			return explain(err, "check %s", r.check)
		}
		more(report, r.check, n, r.advice)
	}
	if err := c.records(ctx, report); err != nil {
		return explain(err, "check %s", ledger.CheckRecords)
	}
	return explain(c.elements(ctx, report), "check %s", ledger.CheckMappings)
}

func more(report func(ledger.Finding), check string, n int, advice string) {
	if n > shown {
		report(ledger.Finding{Check: check, Object: "others", Problem: fmt.Sprintf("%d more of the same", n-shown), Advice: advice})
	}
}

// integrity lets SQLite look at its files.
func (c *Checker) integrity(ctx context.Context, report func(ledger.Finding)) (damaged bool, err error) {
	for schema, name := range map[string]string{"main": "events", "s": "state"} {
		err := c.conn.query(ctx, fmt.Sprintf("PRAGMA %s.integrity_check(%d)", schema, shown), func(r row) error {
			if text := r.text(0); text != "ok" {
				damaged = true
				report(ledger.Finding{Check: ledger.CheckFile, Object: name + ".db", Problem: text, Advice: ledger.AdviceRestore})
			}
			return nil
		})
		if err != nil {
			damaged = true
			report(ledger.Finding{Check: ledger.CheckFile, Object: name + ".db", Problem: err.Error(), Advice: ledger.AdviceRestore})
		}
	}
	return damaged, nil
}

// records reads every record's state.
func (c *Checker) records(ctx context.Context, report func(ledger.Finding)) error {
	bad := 0
	err := c.conn.query(ctx, `SELECT id, deleted, state FROM s.records`, func(r row) error {
		var rec event.Record
		problem := ""
		if err := rec.DecodeState(r.blob(2)); err != nil {
			// The cause may quote what the record says.
			problem = "its state cannot be read"
		} else if rec.Deleted() != (r.int(1) != 0) {
			problem = fmt.Sprintf("its state says deleted %v, its row %v", rec.Deleted(), r.int(1) != 0)
		}
		if problem == "" {
			return nil
		}
		if bad++; bad <= shown {
			report(ledger.Finding{
				Check: ledger.CheckRecords, Object: fmt.Sprintf("record %d", r.int(0)), Problem: problem, Advice: ledger.AdviceRestore,
			})
		}
		return nil
	})
	more(report, ledger.CheckRecords, bad, ledger.AdviceRestore)
	return err
}

// elements reads what is remembered of the elements of lists.
func (c *Checker) elements(ctx context.Context, report func(ledger.Finding)) error {
	bad := 0
	err := c.conn.query(ctx, `SELECT id, children FROM s.deliveries WHERE children IS NOT NULL`, func(r row) error {
		if _, err := decodeChildren(r, 1); err == nil {
			return nil
		}
		if bad++; bad <= shown {
			report(ledger.Finding{
				Check: ledger.CheckMappings, Object: fmt.Sprintf("delivery %d", r.int(0)), Problem: "its elements cannot be read", Advice: ledger.AdviceRestore,
			})
		}
		return nil
	})
	more(report, ledger.CheckMappings, bad, ledger.AdviceRestore)
	return err
}
