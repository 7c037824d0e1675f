package cluster

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/schema"
	v12 "go.temporal.io/server/schema/postgresql/v12"
)

// shards is what small clusters are set up with.
const shards = 4

// database is one of Temporal's two databases.
type database struct {
	kind    sqlplugin.DbKind
	sql     *config.SQL
	schema  string // directory in Temporal's assets
	version string // of that schema
}

// prepare makes the databases and their schemas, as temporal-sql-tool does, and
// returns the configuration of the store.
func prepare(o Options, logger log.Logger) (config.Persistence, error) {
	u, err := url.Parse(o.Postgres)
	if err != nil {
		return config.Persistence{}, fmt.Errorf("postgres: %w", err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	if name == "" {
		return config.Persistence{}, fmt.Errorf("postgres: %s names no database", u.Redacted())
	}
	main := database{sqlplugin.DbKindMain, sqlConfig(u, name), "postgresql/v12/temporal", v12.Version}
	visibility := database{sqlplugin.DbKindVisibility, sqlConfig(u, name+"_visibility"), "postgresql/v12/visibility", v12.VisibilityVersion}
	for _, d := range []database{main, visibility} {
		if err := d.create(logger); err != nil {
			return config.Persistence{}, fmt.Errorf("database %s: %w", d.sql.DatabaseName, err)
		}
		if err := d.migrate(logger); err != nil {
			return config.Persistence{}, fmt.Errorf("schema of database %s: %w", d.sql.DatabaseName, err)
		}
	}
	return config.Persistence{
		DefaultStore: "main", VisibilityStore: "visibility", NumHistoryShards: shards,
		DataStores: map[string]config.DataStore{"main": {SQL: main.sql}, "visibility": {SQL: visibility.sql}},
	}, nil
}

func sqlConfig(u *url.URL, database string) *config.SQL {
	password, _ := u.User.Password()
	attributes := make(map[string]string)
	for name, values := range u.Query() {
		attributes[name] = values[0]
	}
	return &config.SQL{
		PluginName: postgresql.PluginNamePGX, ConnectAddr: u.Host, ConnectProtocol: "tcp", DatabaseName: database,
		User: u.User.Username(), Password: password, ConnectAttributes: attributes,
		MaxConns: 10, MaxIdleConns: 10,
	}
}

func (d database) admin(logger log.Logger, name string) (sqlplugin.AdminDB, error) {
	conf := *d.sql
	conf.DatabaseName = name
	return sql.NewSQLAdminDB(d.kind, &conf, resolver.NewNoopResolver(), logger, metrics.NoopMetricsHandler)
}

func (d database) create(logger log.Logger) error {
	db, err := d.admin(logger, "postgres")
	if err != nil {
		return err
	}
	defer db.Close()
	return db.CreateDatabase(d.sql.DatabaseName)
}

func (d database) migrate(logger log.Logger) error {
	name := d.sql.DatabaseName
	db, err := d.admin(logger, name)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.CreateSchemaVersionTables(); err != nil {
		return err
	}
	if have, err := db.ReadSchemaVersion(name); err == nil {
		if have != d.version {
			return fmt.Errorf("has version %s, this Temporal wants %s: use an empty database", have, d.version)
		}
		return nil
	}
	f, err := schema.Assets().Open(d.schema + "/schema.sql")
	if err != nil {
		return err
	}
	defer f.Close()
	statements, err := persistence.LoadAndSplitQueryFromReaders([]io.Reader{f})
	if err != nil {
		return err
	}
	for _, s := range statements {
		if err := db.Exec(s); err != nil {
			return err
		}
	}
	// Last: a set-up that was cut short is not taken for a whole one.
	return db.UpdateSchemaVersion(name, d.version, d.version)
}
