package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// database implements [sqlcore.Database].
type database struct {
	dialect
	client *client
	name   string        // of the schema with its database, quoted
	turn   chan struct{} // writers of this process take turns
}

var _ sqlcore.Database = (*database)(nil)

func newDatabase(o settings, base *url.URL, k *key) *database {
	name := sqlcore.Quote(swap(o.Database)) + "." + sqlcore.Quote(swap(o.Schema))
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &database{
		dialect: dialect{schema: name, rows: "batch/1"}, name: name, turn: make(chan struct{}, 1),
		client: &client{base: strings.TrimSuffix(base.String(), "/"), key: k, warehouse: swap(o.Warehouse), role: swap(o.Role), http: &http.Client{Transport: transport}},
	}
}

func (d *database) exec(ctx context.Context, sql string, bindings ...string) error {
	_, err := d.client.run(ctx, statement{sql: sql, bindings: bindings})
	return err
}

// Columns implements [sqlcore.Database]. DESCRIBE needs no warehouse.
func (d *database) Columns(ctx context.Context, table string) ([]sqlcore.Column, error) {
	answer, err := d.client.run(ctx, statement{sql: "DESCRIBE TABLE " + d.Table(table)})
	if e, ok := errors.AsType[*apiError](err); ok && (e.code == "002003" || e.code == "002043") {
		return nil, nil // no such table, schema or database
	}
	if err != nil {
		return nil, err
	}
	var out []sqlcore.Column
	for _, r := range answer.Data {
		if len(r) < 2 {
			return nil, errors.New("DESCRIBE TABLE answers without a name and a type")
		}
		name, _ := r[0].(string)
		declared, _ := r[1].(string)
		out = append(out, column(name, declared))
	}
	return out, nil
}

// ensureSchema makes the schema, and the tables of our own in it.
func (d *database) ensureSchema(ctx context.Context) error {
	if err := d.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+d.name); err != nil {
		if e, ok := errors.AsType[*apiError](err); ok && (e.code == "002003" || e.code == "002043") {
			return &setupError{e.code, "the database is not there, or the role may not use it: GRANT USAGE ON DATABASE, and CREATE SCHEMA on it or USAGE and CREATE TABLE on the schema"}
		}
		return err
	}
	for _, sql := range []string{
		fmt.Sprintf("CREATE TRANSIENT TABLE IF NOT EXISTS %s (id VARCHAR, body VARCHAR, staged_at TIMESTAMP_TZ)", d.Table(staging)),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s AS SELECT 0::NUMBER(19,0) AS writes, NULL::VARCHAR AS holder, NULL::TIMESTAMP_TZ AS until", d.Table(lockTable)),
	} {
		if err := d.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// Alter implements [sqlcore.Database].
func (d *database) Alter(ctx context.Context, table string, plan func([]sqlcore.Column) ([]sqlcore.Alteration, error)) error {
	if err := d.ensureSchema(ctx); err != nil {
		return err
	}
	now, err := d.Columns(ctx, table)
	if err != nil {
		return err
	}
	alterations, err := plan(now)
	if err != nil {
		return err
	}
	left := slices.ContainsFunc(now, func(c sqlcore.Column) bool { return strings.HasPrefix(c.Name, aside) })
	if !left && !slices.ContainsFunc(alterations, func(a sqlcore.Alteration) bool { return a.Widen != nil }) {
		return d.apply(ctx, table, alterations) // repeated or done by two at once, this does no harm
	}
	return d.locked(ctx, func() error {
		now, err := d.Columns(ctx, table)
		if err != nil {
			return err
		}
		if now, err = d.heal(ctx, table, now); err != nil {
			return err
		}
		alterations, err := plan(now)
		if err != nil {
			return err
		}
		return d.apply(ctx, table, alterations)
	})
}

func (d *database) apply(ctx context.Context, table string, alterations []sqlcore.Alteration) error {
	for _, a := range alterations {
		for _, sql := range d.RenderAlteration(table, a) {
			if err := d.exec(ctx, sql); err != nil {
				return a.Refused(err)
			}
		}
	}
	return nil
}

// heal finishes what a process left that died while it widened a column: where
// the old column is gone, the new one has all of it.
func (d *database) heal(ctx context.Context, table string, now []sqlcore.Column) ([]sqlcore.Column, error) {
	there := map[string]bool{}
	for _, c := range now {
		there[c.Name] = true
	}
	healed := false
	for _, c := range now {
		old, ok := strings.CutPrefix(c.Name, aside)
		if !ok {
			continue
		}
		sql := fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", d.Table(table), d.Quote(c.Name), d.Quote(old))
		if there[old] {
			sql = fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", d.Table(table), d.Quote(c.Name))
		}
		if err := d.exec(ctx, sql); err != nil {
			return nil, err
		}
		healed = true
	}
	if !healed {
		return now, nil
	}
	return d.Columns(ctx, table)
}

// maxText is the longest text of a column.
const maxText = 16 << 20

// errTooLarge makes the core halve the batch.
var errTooLarge = errors.New("more than the 16 MB that Snowflake takes in one value")

// Write implements [sqlcore.Database]. Rows are staged first: a request of several
// statements takes no values. What a lost request left there is removed a day
// later by whoever writes then.
func (d *database) Write(ctx context.Context, w sqlcore.Work) error {
	release, err := d.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	batch := strings.ToLower(rand.Text())
	script := []string{"BEGIN TRANSACTION", d.lockStatement()}
	var ids []string
	for i, s := range w.Statements {
		part := d.dialect
		part.rows = fmt.Sprintf("%s/%d", batch, i+1)
		body, err := encode(s)
		if err != nil {
			return err
		}
		if len(body) > maxText {
			return errTooLarge
		}
		if err := d.exec(ctx, fmt.Sprintf("INSERT INTO %s (id, body, staged_at) SELECT ?, ?, CURRENT_TIMESTAMP()", d.Table(staging)), part.rows, body); err != nil {
			return d.missing(ctx, err)
		}
		script = append(script, part.Render(s))
		ids = append(ids, "id = '"+part.rows+"'")
	}
	script = append(script, d.cleanup(ids), "COMMIT")
	return d.missing(ctx, d.exec(ctx, strings.Join(script, ";\n")+";"))
}

// missing makes our own tables again if the error may say that they are gone.
func (d *database) missing(ctx context.Context, err error) error {
	if d.Fault(err).Kind == sqlcore.Stale {
		return errors.Join(err, d.ensureSchema(ctx))
	}
	return err
}

// encode writes the rows of a statement.
func encode(s sqlcore.Statement) (string, error) {
	rows := make([][]*string, len(s.Values[0]))
	for i := range rows {
		for _, values := range s.Values {
			rows[i] = append(rows[i], values[i])
		}
		if len(s.Masks) > 0 {
			rows[i] = append(rows[i], &s.Masks[i])
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(rows)
	return strings.TrimSpace(b.String()), err
}
