package sqlite

import (
	"context"
	"testing"
)

// A commit is synced unless everybody in it can do without. The setting must
// follow each group, and the connection must really have it.
func TestOnlyRelaxedGroupsAreNotSynced(t *testing.T) {
	l, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const full, normal = 2, 1
	level := func(c *conn) (n int64) {
		if _, err := c.one(context.Background(), "PRAGMA synchronous", func(r row) { n = r.int(0) }); err != nil {
			t.Error(err)
		}
		return n
	}
	for i, tt := range []struct {
		relaxed []bool
		want    int64
	}{
		{[]bool{false}, full},
		{[]bool{true}, normal},
		{[]bool{true, false}, full},
		{[]bool{true, true}, normal},
		{[]bool{false, true}, full},
	} {
		// The writer's own goroutine runs it, as a plain job, so that the group is
		// exactly this one.
		err := l.state.do(t.Context(), &job{plain: true, run: func(c *conn) error {
			var jobs []*job
			for _, relaxed := range tt.relaxed {
				jobs = append(jobs, &job{relaxed: relaxed, run: func(c *conn) error {
					if got := level(c); got != tt.want {
						t.Errorf("group %d: synchronous %d, want %d", i, got, tt.want)
					}
					return nil
				}})
			}
			_, err := l.state.transact(jobs)
			return err
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := l.state.sync(); err != nil {
		t.Error(err)
	}
}
