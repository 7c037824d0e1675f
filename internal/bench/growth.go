package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// disk is what is stored where, in bytes.
type disk struct {
	ledger, temporal, destination int64
}

func (b *bench) growth(ctx context.Context, to *Result) error {
	retained := pick(b, 10*time.Second, 2*time.Second) // how long events are kept
	return b.watched(ctx, setup{ledger: fmt.Sprintf("retention: %v", retained)}, func(r *rig, w *watch) error {
		return r.grow(ctx, w, retained, to)
	})
}

func (r *rig) grow(ctx context.Context, w *watch, retained time.Duration, to *Result) error {
	empty, err := r.stopped(ctx)
	if err != nil {
		return err
	}
	if err := r.again(ctx); err != nil {
		return err
	}
	total := pick(r.bench, int64(20_000), int64(500))
	s, err := r.send(ctx, load{connections: 32, records: 1, count: total})
	if err != nil {
		return err
	}
	if _, err := w.await(ctx, total, 2*time.Minute); err != nil {
		return err
	}
	if err := r.drained(ctx); err != nil {
		return err
	}
	full, err := r.stopped(ctx)
	if err != nil {
		return err
	}
	// Retention works at the start of a server, and then from time to time.
	sleepUntil(ctx, s.begin.Add(s.took+retained+time.Second))
	if err := r.again(ctx); err != nil {
		return err
	}
	if err := r.pruned(ctx); err != nil {
		return err
	}
	kept, err := r.stopped(ctx)
	if err != nil {
		return err
	}
	per := func(bytes int64) float64 { return float64(bytes) / float64(total) }
	to.add("webhooks", float64(total), "")
	to.add("ledger before retention", per(full.ledger-empty.ledger), "bytes/event")
	to.add("Temporal before its retention", per(full.temporal-empty.temporal), "bytes/event")
	to.add("ledger after retention", per(kept.ledger-empty.ledger), "bytes/event")
	// Temporal keeps finished workflows for an hour at least: longer than this.
	to.below("both after the ledger's retention", per(kept.ledger-empty.ledger+full.temporal-empty.temporal), "bytes/event", 2048)
	to.add("destination (PostgreSQL)", per(full.destination-empty.destination), "bytes/event")
	return r.complete(ctx)
}

// pruned waits until the server has removed the old events.
func (r *rig) pruned(ctx context.Context) error {
	return r.server.Wait(ctx, "remove old events", func() bool {
		list, err := r.server.Client.Events(ctx, map[string]string{"limit": "1"})
		return err == nil && len(list) == 0
	})
}

// again starts the server after a stop.
func (r *rig) again(ctx context.Context) error {
	if err := r.server.Start(); err != nil {
		return err
	}
	return r.server.Ready(ctx)
}

// stopped stops the server, so that its files are whole, and measures.
func (r *rig) stopped(ctx context.Context) (disk, error) {
	if err := r.server.Stop(time.Minute); err != nil {
		return disk{}, err
	}
	var d disk
	err := filepath.WalkDir(r.server.DataDir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		n, err := used(path)
		if strings.HasPrefix(filepath.Base(path), "temporal") {
			d.temporal += n
		} else {
			d.ledger += n
		}
		return err
	})
	if err != nil {
		return d, err
	}
	const size = "SELECT pg_database_size(current_database())"
	if err := r.db.QueryRow(ctx, size).Scan(&d.destination); err != nil {
		return d, err
	}
	if r.ledger == "" {
		return d, nil
	}
	c, err := pgx.Connect(ctx, r.ledger)
	if err != nil {
		return d, err
	}
	defer c.Close(ctx)
	return d, c.QueryRow(ctx, size).Scan(&d.ledger)
}

// used is the size of a file. Of a SQLite database, pages do not count that are
// free and taken again before the file grows.
func used(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	// https://www.sqlite.org/fileformat.html#the_database_header
	header := make([]byte, 100)
	if n, _ := f.ReadAt(header, 0); n < len(header) || string(header[:16]) != "SQLite format 3\x00" {
		return info.Size(), nil
	}
	page := int64(binary.BigEndian.Uint16(header[16:]))
	if page == 1 {
		page = 65536
	}
	return info.Size() - page*int64(binary.BigEndian.Uint32(header[36:])), nil
}
