package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/bigquery"
)

// Each table has a table beside it with one row. Every write changes that row in
// its transaction: BigQuery cancels one of two transactions that change the same
// table, and would let both insert the same key otherwise. Who widens a column
// sets until in it: a column cannot be altered within a transaction.

// beingAltered is how a write fails while the table is altered.
const beingAltered = "sluice: the table is being altered"

// alterPatience is how long a lock holds that nobody gives back.
const alterPatience = "INTERVAL 5 MINUTE"

// errHeld says that another process alters the table.
var errHeld = errors.New(beingAltered)

func (d *database) lock(table string) string { return d.Table("_sluice_lock_" + table) }

func (d *database) ensureLock(ctx context.Context, table string) error {
	_, err := d.run(ctx, "CREATE TABLE IF NOT EXISTS "+d.lock(table)+
		" AS SELECT CAST(NULL AS STRING) AS holder, CAST(NULL AS TIMESTAMP) AS until, 0 AS writes", nil)
	return err
}

// locked runs f while no other process alters or writes the table.
func (d *database) locked(ctx context.Context, table string, f func() error) (err error) {
	release, err := d.turn(ctx, table)
	if err != nil {
		return err
	}
	defer release()
	holder := rand.Text()
	status, err := d.run(ctx, fmt.Sprintf("UPDATE %s SET holder = @holder, until = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), %s) WHERE until IS NULL OR until < CURRENT_TIMESTAMP()",
		d.lock(table), alterPatience), map[string]string{"holder": holder})
	if err != nil {
		return err
	}
	if query, ok := status.Statistics.Details.(*bigquery.QueryStatistics); !ok || query.NumDMLAffectedRows == 0 {
		return errHeld
	}
	defer func() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_, unlock := d.run(after, fmt.Sprintf("UPDATE %s SET holder = NULL, until = NULL WHERE holder = @holder", d.lock(table)), map[string]string{"holder": holder})
		if err == nil {
			err = unlock // the lock ends by itself, but writes wait until then
		}
	}()
	return f()
}

// turn waits until no other call of this process has the table.
func (d *database) turn(ctx context.Context, table string) (release func(), err error) {
	d.mu.Lock()
	turn, ok := d.turns[table]
	if !ok {
		turn = make(chan struct{}, 1)
		d.turns[table] = turn
	}
	d.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
