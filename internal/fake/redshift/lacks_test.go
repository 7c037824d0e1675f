package redshift

import "testing"

func TestLacking(t *testing.T) {
	for sql, want := range map[string]string{
		`INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING`:           "ON CONFLICT",
		`INSERT INTO t VALUES ('ON CONFLICT')`:                      "",
		`SELECT "returning" FROM "jsonb"`:                           "",
		`DELETE FROM t RETURNING a`:                                 "RETURNING",
		`CREATE TABLE t (a jsonb)`:                                  "type json",
		`CREATE TABLE t (a text)`:                                   "type text but as varchar(256)",
		`SELECT * FROM unnest($1)`:                                  "arrays",
		`SELECT $1::varchar[]`:                                      "arrays",
		`CREATE UNIQUE INDEX i ON t (a)`:                            "indexes",
		`ALTER TABLE t ADD COLUMN IF NOT EXISTS a bigint`:           "ADD COLUMN IF NOT EXISTS",
		`ALTER TABLE t ADD COLUMN a bigint, ADD COLUMN b bigint`:    "more than one action in an ALTER TABLE",
		`ALTER TABLE t ALTER COLUMN a TYPE varchar(10)`:             "change of a column's type",
		`SELECT now()`:                                              "now() on its tables",
		`SELECT pg_advisory_xact_lock(1)`:                           "advisory locks",
		`SELECT a::boolean FROM t`:                                  "cast of varchar to boolean",
		`UPDATE t SET a = 1 FROM s LEFT JOIN u ON s.a = u.a`:        "outer join in an UPDATE",
		`CREATE TABLE t (a varchar(65536))`:                         "varchar(65536)",
		`CREATE TABLE t (a varchar(65535), b decimal(38,18))`:       "",
		`CREATE TABLE t (a decimal(39,1))`:                          "decimal(39)",
		`MERGE INTO t USING s ON a = b WHEN MATCHED AND c THEN ...`: "MERGE with conditions",
	} {
		if got := lacking(sql); got != want {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
}

func TestRewrite(t *testing.T) {
	const sql = "CREATE TABLE t (\n\t\"a\" bigint NOT NULL,\n\tPRIMARY KEY (\"a\", \"odd ) name\")\n)"
	if got, want := rewrite(sql), "CREATE TABLE t (\n\t\"a\" bigint NOT NULL\n)"; got != want {
		t.Errorf("got %s", got)
	}
}
