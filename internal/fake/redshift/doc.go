// Package redshift makes a PostgreSQL server look like Amazon Redshift, for
// tests: a proxy of the wire protocol that refuses the SQL which Redshift lacks,
// declares what Redshift declares, and does not enforce keys, as Redshift does not.
//
// What is common to both runs on the real PostgreSQL behind it: transactions,
// locks, types. It is not Redshift: it knows neither its planner and its isolation
// nor its limits of time and space. [Server.Play] plays faults on demand.
package redshift
