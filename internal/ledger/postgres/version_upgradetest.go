//go:build upgradetest

package postgres

import (
	"io/fs"
	"testing/fstest"
)

// schemaVersion is that of a later version of Sluice. The test of a rolling
// upgrade builds it.
const schemaVersion = newest + 1

// laterMigration is what a later version might do to the tables while the one
// before still uses them.
const laterMigration = `-- +goose Up
ALTER TABLE batches ADD COLUMN upgradetest text NOT NULL DEFAULT 'later';
CREATE INDEX upgradetest ON deliveries (delivered_at);
UPDATE ledger_schema SET version = version + 1, compatible_from = version;
`

func migrationFiles() (fs.FS, error) {
	out := fstest.MapFS{"90001_upgradetest.sql": {Data: []byte(laterMigration)}}
	files, err := fs.Glob(migrations, "migrations/*.sql")
	for _, name := range files {
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			return nil, err
		}
		out[name[len("migrations/"):]] = &fstest.MapFile{Data: text}
	}
	return out, err
}
