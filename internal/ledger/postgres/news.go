package postgres

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// newsChannel is what instances listen on, in this schema's database. The payload
// is the schema and who sent it.
const newsChannel = "sluice_ledger"

const (
	// newsPoll is how often an instance looks by itself: a notification is lost
	// when its sender dies between a commit and the notification.
	newsPoll = 5 * time.Second
	// newsPause is the wait before the next attempt to listen.
	newsPause = time.Second
)

// news tells other instances that there is something to do, and hears of it.
// Telling is not part of the transactions that make the news: a commit with a
// notification waits for every other one.
type news struct {
	l      *Ledger
	line   line
	schema string
	todo   chan struct{} // capacity 1
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newNews(l *Ledger, config *pgx.ConnConfig, schema string) *news {
	return &news{l: l, line: line{config: config}, schema: schema, todo: make(chan struct{}, 1)}
}

// tell returns at once. Much news is told once.
func (n *news) tell() {
	select {
	case n.todo <- struct{}{}:
	default:
	}
}

func (n *news) start() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.wg.Go(func() { n.send(ctx) })
	n.wg.Go(func() { n.listen(ctx) })
}

func (n *news) stop() {
	n.cancel()
	n.wg.Wait()
}

// send gives notifications out. What it cannot send the others find by
// themselves.
func (n *news) send(ctx context.Context) {
	for {
		select {
		case <-n.todo:
		case <-ctx.Done():
			return
		}
		sendCtx, cancel := context.WithTimeout(ctx, newsPoll)
		// Nothing is lost with it: it need not be on disk.
		_, err := n.l.pool.Exec(sendCtx, `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`,
			newsChannel, n.schema+" "+n.l.instance)
		cancel()
		if err != nil && ctx.Err() == nil {
			n.l.log.Debug("news for other instances were not sent", "err", err)
		}
	}
}

// listen hears until the context ends.
func (n *news) listen(ctx context.Context) {
	defer n.line.hangUp()
	for logged := false; ctx.Err() == nil; {
		err := n.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		n.line.hangUp()
		if !logged {
			n.l.log.Warn("no news from other instances, the ledger is looked at from time to time instead", "err", explain(err, "listen"))
		}
		logged = true
		n.l.notify() // whatever came meanwhile
		timer := time.NewTimer(newsPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// hear returns when the connection is lost.
func (n *news) hear(ctx context.Context) error {
	c, err := n.line.get(ctx)
	if err != nil {
		return err
	}
	if _, err := c.Exec(ctx, "LISTEN "+newsChannel); err != nil {
		return err
	}
	n.l.notify() // what came while nobody listened
	for {
		waitCtx, cancel := context.WithTimeout(ctx, newsPoll)
		got, err := c.WaitForNotification(waitCtx)
		late := waitCtx.Err() != nil
		cancel()
		switch {
		case err == nil:
			schema, from, _ := strings.Cut(got.Payload, " ")
			if schema == n.schema && from != n.l.instance {
				n.l.notify()
			}
		case ctx.Err() != nil:
			return ctx.Err()
		case late && !c.IsClosed():
			if err := n.look(ctx, c); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// look finds out whether there is something to do. It also notices a connection
// that is gone without a word.
func (n *news) look(ctx context.Context, c *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, newsPoll)
	defer cancel()
	var waiting bool
	if err := c.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM arrivals)`).Scan(&waiting); err != nil {
		return err
	}
	if waiting {
		n.l.notify()
	}
	return nil
}
