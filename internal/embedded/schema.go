//go:build !slim

package embedded

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/schema"
	"go.temporal.io/server/schema/sqlite"
)

// database is one SQLite file of Temporal. Temporal itself keeps no schema
// version in SQLite, so that we do, in the file's user_version: the number
// after the dot of Temporal's version, whose first part has always been 0.
type database struct {
	file    string // name in the data directory
	schema  string // directory in Temporal's assets
	version string // that this build of Temporal wants
	sparse  string // table whose indexes shall leave out nulls
}

// Two files: SQLite has one writer for each, and what the visibility store
// writes after the fact must not hold up the histories.
var (
	mainDatabase       = database{file: "temporal.db", schema: "sqlite/v3/temporal", version: sqlite.Version}
	visibilityDatabase = database{file: "temporal-visibility.db", schema: "sqlite/v3/visibility", version: sqlite.VisibilityVersion, sparse: "executions_visibility"}
)

// migrate creates the schema in a new file or brings an older one up to date,
// in one transaction.
func (d database) migrate(ctx context.Context, file string) error {
	want, err := minor(d.version)
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+uri(file)+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		return fmt.Errorf("temporal: %s: %w", file, err)
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("temporal: open %s: %w", file, err)
	}
	defer func() { _ = tx.Rollback() }()

	have, tables := 0, 0
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return fmt.Errorf("temporal: read %s: %w", file, err)
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return fmt.Errorf("temporal: read %s: %w", file, err)
	}
	var scripts []string
	switch {
	case tables == 0:
		scripts = []string{path.Join(d.schema, "schema.sql")}
	case have == 0:
		return fmt.Errorf("temporal: %s was not made by Sluice: move it away, Sluice makes a new one and delivers what is open again", file)
	case have > want:
		return fmt.Errorf("temporal: %s has schema 0.%d, this Sluice knows 0.%d: use the newer Sluice that wrote it, or move the file away, Sluice makes a new one and delivers what is open again", file, have, want)
	case have < want:
		if scripts, err = d.upgrades(have); err != nil {
			return fmt.Errorf("temporal: upgrade %s from schema 0.%d: %w", file, have, err)
		}
	}
	for _, s := range scripts {
		if err := run(ctx, tx, s); err != nil {
			return fmt.Errorf("temporal: %s: apply %s: %w", file, s, err)
		}
	}
	if d.sparse != "" {
		if err := thinOut(ctx, tx, d.sparse); err != nil {
			return fmt.Errorf("temporal: %s: indexes: %w", file, err)
		}
	}
	if _, err := tx.ExecContext(ctx, "PRAGMA user_version = "+strconv.Itoa(want)); err != nil {
		return fmt.Errorf("temporal: %s: %w", file, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("temporal: %s: %w", file, err)
	}
	return nil
}

// upgrades lists the scripts after a version, in order, as the manifests of
// Temporal's versioned schema name them.
func (d database) upgrades(from int) ([]string, error) {
	dir := path.Join(d.schema, "versioned")
	entries, err := fs.ReadDir(schema.Assets(), dir)
	if err != nil {
		return nil, fmt.Errorf("this Temporal has no upgrade for it: %w", err)
	}
	type step struct {
		version int
		files   []string
	}
	var steps []step
	for _, e := range entries {
		v, err := minor(strings.TrimPrefix(e.Name(), "v"))
		if err != nil {
			return nil, err
		}
		if v <= from {
			continue
		}
		raw, err := fs.ReadFile(schema.Assets(), path.Join(dir, e.Name(), "manifest.json"))
		if err != nil {
			return nil, err
		}
		var manifest struct {
			Files []string `json:"SchemaUpdateCqlFiles"`
		}
		if err := json.Unmarshal(raw, &manifest); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		s := step{version: v}
		for _, f := range manifest.Files {
			s.files = append(s.files, path.Join(dir, e.Name(), f))
		}
		steps = append(steps, s)
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.version, b.version) })
	var out []string
	for _, s := range steps {
		out = append(out, s.files...)
	}
	return out, nil
}

func run(ctx context.Context, tx *sql.Tx, script string) error {
	f, err := schema.Assets().Open(script)
	if err != nil {
		return err
	}
	defer f.Close()
	statements, err := persistence.LoadAndSplitQueryFromReaders([]io.Reader{f})
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// thinOut makes the table's indexes leave out rows that have null in the column
// they are for. Temporal has an index for each search attribute that there could
// be, more than sixty, and writes a workflow three times: nearly all of them are
// for attributes that nobody has, and each one cost a page per write. A search
// for a value finds a partial index as good as a whole one. The names stay, for
// Temporal's own upgrades.
func thinOut(ctx context.Context, tx *sql.Tx, table string) error {
	rows, err := tx.QueryContext(ctx, `SELECT m.name, m.sql, i.name FROM sqlite_master m
		JOIN pragma_index_info(m.name) i ON i.seqno = 1
		JOIN pragma_table_xinfo(m.tbl_name) c ON c.name = i.name AND c."notnull" = 0
		WHERE m.type = 'index' AND m.tbl_name = ? AND m.sql NOT LIKE '% WHERE %'`, table)
	if err != nil {
		return err
	}
	defer rows.Close()
	var statements []string
	for rows.Next() {
		var name, create, column string
		if err := rows.Scan(&name, &create, &column); err != nil {
			return err
		}
		statements = append(statements, "DROP INDEX "+name, create+" WHERE "+column+" IS NOT NULL")
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func minor(version string) (int, error) {
	rest, ok := strings.CutPrefix(version, "0.")
	n, err := strconv.Atoi(rest)
	if !ok || err != nil {
		return 0, fmt.Errorf("temporal: schema version %q is not 0.n", version)
	}
	return n, nil
}

// uri writes a path as the path of a SQLite URI.
func uri(file string) string { return (&url.URL{Path: file}).EscapedPath() }
