#!/bin/sh
# Makes Temporal's databases and brings their schemas to the version of this
# image. SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD say where. It
# may run again.
set -eu

for database in temporal temporal_visibility; do
	schema=/etc/temporal/schema/postgresql/v12/${database#temporal_}/versioned
	temporal-sql-tool --db "$database" create-database || true # it may be there
	# Refused where a version is recorded already.
	temporal-sql-tool --db "$database" setup-schema -v 0.0 || true
	temporal-sql-tool --db "$database" update-schema -d "$schema"
done
