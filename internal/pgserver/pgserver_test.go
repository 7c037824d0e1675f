package pgserver_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/pgserver"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

func TestADurableServerKeepsWhatWasCommitted(t *testing.T) {
	s, err := pgserver.Start(t.Context(), pgserver.Options{Durable: true, Settings: []string{"work_mem=5MB"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the folder is left behind: %v", err)
		}
	}()
	url, err := s.CreateDatabase(t.Context(), "books")
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, url)
	for setting, want := range map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "autovacuum": "on", "work_mem": "5MB"} {
		var got string
		if err := c.QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q: %v", setting, got, want, err)
		}
	}
	if _, err := c.Exec(t.Context(), "CREATE TABLE t AS SELECT 7 AS n"); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func() error{"crash": s.Crash, "shutdown": s.Shutdown} {
		pid := s.PID()
		if err := end(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := pgx.Connect(t.Context(), url); err == nil {
			t.Errorf("%s: the server answers", name)
		}
		if err := s.Launch(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.PID() == pid {
			t.Errorf("%s: it is the same process", name)
		}
		var n int
		if err := connect(t, url).QueryRow(t.Context(), "SELECT n FROM t").Scan(&n); err != nil || n != 7 {
			t.Errorf("%s: read %d, %v", name, n, err)
		}
	}
}
