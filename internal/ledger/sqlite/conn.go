package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"modernc.org/sqlite"
)

// conn is one connection with its prepared statements. It speaks to the driver
// directly: database/sql costs more than the statements themselves where rows
// are written one by one. A conn is used by one goroutine at a time.
type conn struct {
	raw   driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue

	relaxed bool // see relax
}

func dial(file string, pragmas ...string) (*conn, error) {
	return dialURL(fileURL(file), pragmas...)
}

// dialURL takes SQLite's options in the name, such as mode=ro.
func dialURL(name string, pragmas ...string) (*conn, error) {
	raw, err := (&sqlite.Driver{}).Open(name)
	if err != nil {
		return nil, err
	}
	c := &conn{raw: raw, stmts: make(map[string]driver.Stmt)}
	for _, p := range pragmas {
		if err := c.query(context.Background(), "PRAGMA "+p, func(row) error { return nil }); err != nil {
			return nil, errors.Join(fmt.Errorf("pragma %s: %w", p, err), c.close())
		}
	}
	return c, nil
}

// relax says whether the commits to come are synced (they are unless it says
// so). SQLite takes the setting when it compiles the statement, so that this one
// cannot be kept.
func (c *conn) relax(relaxed bool) error {
	if c.relaxed == relaxed {
		return nil
	}
	level := "FULL"
	if relaxed {
		level = "NORMAL"
	}
	s, err := c.raw.Prepare("PRAGMA synchronous=" + level)
	if err != nil {
		return err
	}
	c.relaxed = relaxed
	return s.Close()
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

func (c *conn) prepare(query string) (driver.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.raw.Prepare(query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = s
	return s, nil
}

// bind reuses one slice: the driver has copied the values when the call returns.
func (c *conn) bind(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		switch v := a.(type) {
		case int:
			a = int64(v)
		case bool:
			n := int64(0)
			if v {
				n = 1
			}
			a = n
		case []byte:
			if v == nil {
				a = []byte{}
			}
		case time.Time:
			a = micros(v)
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

// exec runs a statement and returns how many rows it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	r, err := c.run(query, args)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// insert runs a statement and returns the id of the row it inserted.
func (c *conn) insert(query string, args ...any) (int64, error) {
	r, err := c.run(query, args)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

func (c *conn) run(query string, args []any) (driver.Result, error) {
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.(driver.StmtExecContext).ExecContext(context.Background(), c.bind(args))
}

// query calls scan for each row. The row is only valid during the call, its
// values for good. Within scan, the same query must not be run again.
func (c *conn) query(ctx context.Context, query string, scan func(row) error, args ...any) error {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, c.bind(args))
	if err != nil {
		return err
	}
	dest := make(row, len(rows.Columns()))
	for {
		err := rows.Next(dest)
		if err == io.EOF {
			return rows.Close()
		}
		if err == nil {
			err = scan(dest)
		}
		if err == errEnough {
			return rows.Close()
		}
		if err != nil {
			return errors.Join(err, rows.Close())
		}
	}
}

// errEnough is returned by a scan function that needs no more rows.
var errEnough = errors.New("enough rows")

// one reads the row of a query that has one at most.
func (c *conn) one(ctx context.Context, query string, scan func(row), args ...any) (found bool, err error) {
	err = c.query(ctx, query, func(r row) error {
		scan(r)
		found = true
		return nil
	}, args...)
	return found, err
}

// row holds the values of one row.
type row []driver.Value

func (r row) int(i int) int64 {
	v, _ := r[i].(int64)
	return v
}

func (r row) text(i int) string {
	v, _ := r[i].(string)
	return v
}

func (r row) blob(i int) []byte {
	v, _ := r[i].([]byte)
	return v
}

func (r row) null(i int) bool { return r[i] == nil }

// time is zero for null and for 0.
func (r row) time(i int) time.Time {
	if v := r.int(i); v != 0 {
		return time.UnixMicro(v).UTC()
	}
	return time.Time{}
}

// micros is the stored form of a moment: null for the zero time.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}
