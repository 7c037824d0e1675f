package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/netfault"
)

// rewire leads a connection string through a wire.
func rewire(connection string, w *netfault.Wire) string {
	u, err := url.Parse(connection)
	if err != nil {
		return connection // not one of ours
	}
	u.Host = w.Address()
	return u.String()
}

// auditSQL has PostgreSQL write down every change of every row in the schema
// books. Changes of one row are in the order of their commits: the second waits
// for the first, and only then is its trigger called.
const auditSQL = `
CREATE SCHEMA chaos;
CREATE TABLE chaos.log (n bigserial PRIMARY KEY, op text NOT NULL, tab text NOT NULL, key text NOT NULL, version bigint NOT NULL);
CREATE FUNCTION chaos.note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE r jsonb;
BEGIN
	r := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
	INSERT INTO chaos.log (op, tab, key, version) VALUES (TG_OP, TG_TABLE_NAME,
		concat_ws('/', r->>'_company_id', r->>'_integration_type', r->>'_platform_id'), (r->>'_version')::bigint);
	RETURN NULL;
END $$;
CREATE FUNCTION chaos.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE o record;
BEGIN
	FOR o IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' AND schema_name = 'books' LOOP
		IF EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = o.objid AND attname = '_version') THEN
			EXECUTE format('CREATE OR REPLACE TRIGGER chaos AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION chaos.note()', o.object_identity);
		END IF;
	END LOOP;
END $$;
CREATE EVENT TRIGGER chaos ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION chaos.watch();
`

// audit begins to watch a warehouse that is still empty.
func audit(ctx context.Context, url string) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, auditSQL)
	return errors.Join(err, c.Close(ctx))
}

// regressions lists rows of the warehouse that went back to an older version, or
// were deleted, and counts the changes that were seen.
func regressions(ctx context.Context, url string) (found []string, changes int, err error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	if err := c.QueryRow(ctx, `SELECT count(*) FROM chaos.log`).Scan(&changes); err != nil {
		return nil, 0, err
	}
	rows, err := c.Query(ctx, `SELECT n, op, tab, key, before, version FROM
		(SELECT *, lag(version) OVER (PARTITION BY tab, key ORDER BY n) AS before FROM chaos.log) l
		WHERE version < before OR op = 'DELETE' ORDER BY n LIMIT 20`)
	if err != nil {
		return nil, 0, err
	}
	var n, version int64
	var before *int64
	var op, tab, key string
	_, err = pgx.ForEachRow(rows, []any{&n, &op, &tab, &key, &before, &version}, func() error {
		last := "none"
		if before != nil {
			last = fmt.Sprint(*before)
		}
		found = append(found, fmt.Sprintf("change %d: %s of %s %s at version %d after %s", n, op, tab, key, version, last))
		return nil
	})
	return found, changes, err
}
