package warehouse

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func engine() *Engine {
	return New(Dialect{
		Quote: '"', Fold: func(s string) string { return s }, Now: func() time.Time { return time.Unix(0, 0) },
		Types: map[string]Type{
			"BOOL": Boolean("BOOL"), "INT": Integer("INT"), "NUM": Decimal("NUM", 38, 18), "TS": Timestamp("TS"), "TEXT": Text("TEXT"),
		},
	})
}

func run(t *testing.T, e *Engine, sql string, params map[string]string) error {
	t.Helper()
	s := e.Session()
	defer s.Close()
	_, err := s.Run(sql, params)
	return err
}

const merge = `MERGE INTO t AS t USING (SELECT JSON_VALUE(r, '$[0]') AS k, CAST(JSON_VALUE(r, '$[1]') AS INT) AS v FROM UNNEST(JSON_QUERY_ARRAY(@rows)) AS r) AS s
ON t.k = s.k WHEN MATCHED AND t.v <= s.v THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, s.v)`

func TestMerge(t *testing.T) {
	e := engine()
	if err := run(t, e, "CREATE TABLE t (k TEXT NOT NULL, v INT, PRIMARY KEY (k))", nil); err != nil {
		t.Fatal(err)
	}
	for _, rows := range []string{`[["a","5"],["b","1"]]`, `[["a","4"],["c",null]]`, `[["b","2"]]`} {
		if err := run(t, e, merge, map[string]string{"rows": rows}); err != nil {
			t.Fatal(err)
		}
	}
	want := []map[string]string{{"k": "a", "v": "5"}, {"k": "b", "v": "2"}, {"k": "c"}}
	if got := e.Rows("t"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := run(t, e, merge, map[string]string{"rows": `[["b","3"],["b","4"]]`}); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("two rows for one: %v", err)
	}
	if got := e.Rows("t"); !reflect.DeepEqual(got, want) {
		t.Errorf("a failed statement left %v", got)
	}
	// Keys are not enforced.
	if err := run(t, e, merge, map[string]string{"rows": `[["d","1"],["d","1"]]`}); err != nil || len(e.Rows("t")) != 5 {
		t.Errorf("%v: %v", err, e.Rows("t"))
	}
}

func TestErrors(t *testing.T) {
	e := engine()
	if err := run(t, e, "CREATE TABLE t (k TEXT, v INT, n NUM); CREATE TABLE u AS SELECT 1 AS n", nil); err != nil {
		t.Fatal(err)
	}
	e.Pin("t", "v", true)
	for sql, want := range map[string]error{
		"SELEKT 1":                                ErrSyntax,
		"SELECT * FROM t extra words":             ErrSyntax,
		"SELECT 'open":                            ErrSyntax,
		"SELECT nofunction(1)":                    ErrSyntax,
		"INSERT INTO t VALUES (1)":                ErrSyntax,
		"INSERT INTO t (k, v) SELECT 'a'":         ErrSyntax,
		"DELETE FROM t":                           ErrSyntax,
		"CREATE TABLE w (a JSONB)":                ErrSyntax,
		"CREATE TABLE w (a NUM(39,1))":            ErrSyntax,
		"CREATE TABLE t (a INT)":                  ErrExists,
		"ALTER TABLE t ADD COLUMN k INT":          ErrExists,
		"ALTER TABLE t RENAME COLUMN k TO n":      ErrExists,
		"ALTER TABLE t DROP COLUMN v":             ErrDependent,
		"SELECT * FROM nowhere":                   ErrNoTable,
		"UPDATE t SET nothing = 1 WHERE TRUE":     ErrNoColumn,
		"UPDATE u SET n = 'text' WHERE TRUE":      ErrType,
		"SELECT CAST('x' AS INT)":                 ErrValue,
		"SELECT CAST('1.5' AS NUM(3,0))":          ErrValue,
		"SELECT 1 = 'x'":                          ErrType,
		"ASSERT EXISTS (SELECT 1 FROM t) AS 'no'": ErrAssertion,
		"SELECT @missing":                         ErrSyntax,
	} {
		if err := run(t, e, sql, nil); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", sql, err, want)
		}
	}
}

func TestTransaction(t *testing.T) {
	e := engine()
	if err := run(t, e, "CREATE TABLE t AS SELECT 1 AS n", nil); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]string{
		"BEGIN TRANSACTION; UPDATE t SET n = n + 1 WHERE TRUE; COMMIT TRANSACTION":                "2",
		"BEGIN TRANSACTION; UPDATE t SET n = 7 WHERE TRUE; SELECT nofunction(1); COMMIT":          "",
		"BEGIN TRANSACTION; UPDATE t SET n = 8 WHERE TRUE":                                        "", // never committed
		"BEGIN; UPDATE t SET n = 9 WHERE TRUE; ASSERT EXISTS (SELECT 1 FROM t WHERE n = 0) AS ''": "",
	} {
		before := e.Rows("t")[0]["n"]
		err := run(t, e, sql, nil)
		got := e.Rows("t")[0]["n"]
		if want == "" {
			want = before
		} else if err != nil {
			t.Error(err)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
}

func TestStagedRows(t *testing.T) {
	e := engine()
	script := `CREATE TRANSIENT TABLE b (id TEXT, rows TEXT); CREATE TABLE t (k TEXT, v INT);
INSERT INTO b (id, rows) SELECT ?, ?; INSERT INTO b (id, rows) SELECT 'other', 'not JSON';
MERGE INTO t AS t USING (SELECT f.value[0]::TEXT AS k, f.value[1]::TEXT::INT AS v FROM (SELECT rows FROM b WHERE id = 'x') AS b, LATERAL FLATTEN(INPUT => PARSE_JSON(b.rows)) AS f) AS s
ON t.k = s.k WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, s.v); DELETE FROM b WHERE id = 'x'`
	if err := run(t, e, script, map[string]string{"1": "x", "2": `[["a","1"],["b",null]]`}); err != nil {
		t.Fatal(err)
	}
	if got, want := e.Rows("t"), []map[string]string{{"k": "a", "v": "1"}, {"k": "b"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := e.Rows("b"); len(got) != 1 || got[0]["id"] != "other" {
		t.Errorf("got %v", got)
	}
}

func TestTableOfASelect(t *testing.T) {
	e := engine()
	if err := run(t, e, "CREATE TABLE t AS SELECT 0::NUM(19,0) AS n, NULL::TS AS at, 'x' AS x; UPDATE t SET n = n + 1, at = CURRENT_TIMESTAMP() WHERE TRUE", nil); err != nil {
		t.Fatal(err)
	}
	columns, _ := e.Table("t")
	if columns[0].Type.Name != "NUM(19,0)" || columns[1].Type.Name != "TS" || e.Rows("t")[0]["n"] != "1" {
		t.Errorf("%+v %v", columns, e.Rows("t"))
	}
}

func TestSwapOfNames(t *testing.T) {
	e := engine()
	if err := run(t, e, `CREATE TABLE t AS SELECT 1 AS a, 'x' AS b; ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a`, nil); err != nil {
		t.Fatal(err)
	}
	if got := e.Rows("t")[0]; got["a"] != "x" || got["b"] != "1" {
		t.Errorf("got %v", got)
	}
}

func FuzzRun(f *testing.F) {
	f.Add("CREATE TABLE t (a INT, PRIMARY KEY (a)); " + merge)
	f.Add(`SELECT CASE WHEN "a" IS NOT NULL THEN f.value[0]::TEXT END FROM t AS b, LATERAL FLATTEN(INPUT => PARSE_JSON(b.rows)) AS f`)
	f.Add("ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a")
	f.Fuzz(func(_ *testing.T, sql string) {
		s := engine().Session()
		defer s.Close()
		_, _ = s.Run(sql, map[string]string{"rows": `[["a","1"]]`, "1": `[["a"]]`})
	})
}
