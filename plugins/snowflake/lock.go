package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// staging is the table that rows come through.
	staging = "_sluice_rows"
	// lockTable has one row, which every write changes first in its transaction:
	// Snowflake lets the second of two transactions that change a table wait, and
	// each statement sees what was committed before it began. Who widens a column
	// sets until in it: Snowflake commits a transaction before it alters.
	lockTable = "_sluice_lock"
)

// beingAltered is part of the error of a write while a table is altered.
const beingAltered = "sluice: a table is being altered by"

// alterPatience is how long a lock holds that nobody gives back.
const alterPatience = 5 * time.Minute

// errHeld says that another process alters a table.
var errHeld = errors.New(beingAltered + " another process")

// lockStatement takes the lock for a transaction. It fails while a table is
// altered: the text is no number.
func (d *database) lockStatement() string {
	return fmt.Sprintf("UPDATE %s SET writes = CASE WHEN until IS NULL OR until < CURRENT_TIMESTAMP() THEN writes + 1 ELSE CONCAT('%s ', holder)::NUMBER(19,0) END WHERE TRUE",
		d.Table(lockTable), beingAltered)
}

func at(t time.Time) string {
	return "'" + t.UTC().Format("2006-01-02T15:04:05.000000Z") + "'::TIMESTAMP_TZ"
}

// cleanup removes rows from the staging table.
func (d *database) cleanup(ids []string) string {
	return fmt.Sprintf("DELETE FROM %s WHERE %s OR staged_at < %s", d.Table(staging), strings.Join(ids, " OR "), at(time.Now().Add(-24*time.Hour)))
}

// take waits until no other call of this process writes or alters.
func (d *database) take(ctx context.Context) (release func(), err error) {
	select {
	case d.turn <- struct{}{}:
		return func() { <-d.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// locked runs f while no other process alters or writes a table of the schema.
func (d *database) locked(ctx context.Context, f func() error) (err error) {
	release, err := d.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	holder := strings.ToLower(rand.Text())
	answer, err := d.client.run(ctx, statement{sql: fmt.Sprintf("UPDATE %s SET holder = '%s', until = %s WHERE until IS NULL OR until < CURRENT_TIMESTAMP()",
		d.Table(lockTable), holder, at(time.Now().Add(alterPatience)))})
	if err != nil {
		return err
	}
	if len(answer.Data) == 0 || len(answer.Data[0]) == 0 || fmt.Sprint(answer.Data[0][0]) == "0" {
		return errHeld
	}
	defer func() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		unlock := d.exec(after, fmt.Sprintf("UPDATE %s SET holder = NULL, until = NULL WHERE holder = '%s'", d.Table(lockTable), holder))
		if err == nil {
			err = unlock // the lock ends by itself, but writes wait until then
		}
	}()
	return f()
}
