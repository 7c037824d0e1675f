package sqlite_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/sqlite"
)

// The log must begin anew while writers and readers never rest, or it grows
// until the disk is full.
func TestLogStaysShortUnderLoad(t *testing.T) {
	const frames, page = 50, 4096
	dir := t.TempDir()
	l, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir}.CheckpointAt(frames))
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 3000)
	var wg sync.WaitGroup
	for sender := range 8 {
		wg.Go(func() {
			for i := range 500 {
				ev := event.Event{Source: "s", ID: fmt.Sprintf("%d-%d", sender, i), Kind: event.KindUnknown, Body: body}
				if _, err := l.Append(t.Context(), ev); err != nil {
					t.Error(err)
					return
				}
				if i%4 != 0 {
					continue
				}
				if _, err := l.ListEvents(t.Context(), ledger.EventFilter{Limit: 5}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	size := func(name string) int64 {
		info, err := os.Stat(filepath.Join(dir, "ledger", name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	// 4000 events of a page each and more were written.
	if got := size("events.db-wal"); got > 2000*page {
		t.Errorf("the log has grown to %d pages", got/page)
	}
	if got := size("events.db"); got < 2000*page {
		t.Errorf("only %d pages are in the file", got/page)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkFiles(t, dir)
}

// Whoever stops Sluice must not read that its ledger is in trouble.
func TestCloseWhileTheLogIsMovedIsNoProblem(t *testing.T) {
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	for range 10 {
		l, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Logger: log}.CheckpointAt(1))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for sender := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					if _, err := l.Append(t.Context(), event.Event{Source: "s", ID: fmt.Sprintf("%d-%d", sender, i)}); err != nil {
						return // closed
					}
				}
			})
		}
		if _, err := l.Append(t.Context(), event.Event{Source: "s", ID: "first"}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	}
	if logged.Len() > 0 {
		t.Errorf("logged %s", &logged)
	}
}
