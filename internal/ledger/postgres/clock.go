package postgres

import (
	"time"

	"github.com/sluicehq/sluice/internal/fault"
)

// dbNow is the moment in SQL, given the parameter that [Ledger.clock] returns.
// Not now(): a transaction may have waited for a lock since it began.
func dbNow(parameter string) string {
	return "coalesce(" + parameter + "::timestamptz, clock_timestamp())"
}

// clock is the parameter of dbNow: null, unless a test sets the time.
func (l *Ledger) clock() *time.Time {
	if l.fixed == nil {
		return nil
	}
	t := l.fixed().UTC()
	return &t
}

// now is the clock of this process.
func (l *Ledger) now() time.Time {
	if l.fixed != nil {
		return l.fixed()
	}
	return fault.Now()
}

// moments translates between the clock of the database, in which leases and
// retries are stored, and the clock of this process, in which callers think.
type moments struct{ here, there time.Time }

func (l *Ledger) moments(there time.Time) moments {
	return moments{here: l.now(), there: there}
}

// out is a moment for the database; zero is null.
func (m moments) out(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = m.there.Add(t.Sub(m.here)).UTC()
	return &t
}

// in is a moment for callers; null is zero.
func (m moments) in(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return m.here.Add(t.Sub(m.there)).Round(0).UTC()
}

// nullable is for moments that are stored as they come.
func nullable(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
