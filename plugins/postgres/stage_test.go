package main

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/sluicehq/sluice/internal/pgtest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

// Many rows come by COPY, twice over one connection and with two sets of fields; few
// do not. Where temporary tables are forbidden, nothing comes by COPY.
func TestStage(t *testing.T) {
	owner := pgtest.URL(t)
	u := mustParse(t, owner)
	exec(t, owner, "CREATE ROLE stager LOGIN", "CREATE SCHEMA rootfi AUTHORIZATION stager", "REVOKE TEMPORARY ON DATABASE "+u.Path[1:]+" FROM PUBLIC")
	u.User = url.User("stager")
	for name, tt := range map[string]struct {
		url, schema string
		rows        int
		staged      bool
	}{
		"many":      {owner, "many", 2 * stageRows, true},
		"few":       {owner, "few", stageRows - 1, false},
		"forbidden": {u.String(), "rootfi", 2 * stageRows, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, settings{URL: tt.url, Schema: tt.schema, MaxConnections: 1, Delete: "hard"})
			for version := range int64(2) {
				var list []destination.Record
				for i := range tt.rows {
					fields := fmt.Sprintf(`{"amount":%d.10,"memo":null,"text":"it's\\t\\\\.\\n %d"}`, i, version)
					if i%2 == 1 && tt.staged {
						fields = fmt.Sprintf(`{"amount":%d.10,"lines":[1.10,null],"text":"it's\\t\\\\.\\n %d"}`, i, version)
					}
					list = append(list, record(fmt.Sprint(i), version+1, fields))
				}
				list = append(list, record("0", 0, `{"text":"late"}`))
				results, err := p.Write(t.Context(), records(list...))
				if err != nil || results[0].Kind != destination.Delivered || results[tt.rows].Kind != destination.Delivered {
					t.Fatalf("%v %v", results, err)
				}
			}
			var tables int
			if err := p.db.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_class WHERE relname LIKE 'sluice_stage_%' AND pg_table_is_visible(oid)").Scan(&tables); err != nil {
				t.Fatal(err)
			}
			if (tables > 0) != tt.staged {
				t.Errorf("%d tables for COPY", tables)
			}
			got := pgtest.Rows(t, owner, tt.schema, "invoices")
			if len(got) != tt.rows {
				t.Fatalf("%d rows, want %d", len(got), tt.rows)
			}
			for _, r := range got {
				if r["_version"] != "2" || r["text"] != `it's\t\\.\n 1` || r["amount"] != r["_platform_id"]+".10" || r["memo"] != "" {
					t.Errorf("%v", r)
				}
			}
		})
	}
}

// A value that the database refuses in the middle of many is found, and the rest is
// written.
func TestStageWithABadRecord(t *testing.T) {
	url := pgtest.URL(t)
	p := start(t, settings{URL: url})
	if _, err := p.Write(t.Context(), records(record("first", 1, `{"amount":1}`))); err != nil {
		t.Fatal(err)
	}
	exec(t, url, "ALTER TABLE rootfi.invoices ADD CHECK (amount >= 0)")
	var list []destination.Record
	for i := range 2 * stageRows {
		amount := i
		if i == stageRows {
			amount = -1
		}
		list = append(list, record(fmt.Sprint(i), 1, fmt.Sprintf(`{"amount":%d}`, amount)))
	}
	results, err := p.Write(t.Context(), records(list...))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		want := destination.Delivered
		if i == stageRows {
			want = destination.Rejected
		}
		if r.Kind != want {
			t.Errorf("record %d: %+v", i, r)
		}
	}
}

// BenchmarkWays compares, in one run, arrays with COPY into a temporary table.
func BenchmarkWays(b *testing.B) {
	for _, size := range []int{stageRows, 1000, 10000} {
		for _, arrays := range []bool{true, false} {
			b.Run(fmt.Sprintf("%d rows, arrays=%v", size, arrays), func(b *testing.B) {
				p := start(b, settings{URL: pgtest.URL(b)})
				p.db.noStage.Store(arrays)
				sqltest.BenchmarkOf(b, p, 1, size)
			})
		}
	}
}
