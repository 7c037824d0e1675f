//go:build !upgradetest

package postgres

import "io/fs"

// schemaVersion is what this program brings a schema to.
const schemaVersion = newest

func migrationFiles() (fs.FS, error) { return fs.Sub(migrations, "migrations") }
