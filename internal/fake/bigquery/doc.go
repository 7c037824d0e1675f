// Package bigquery is Google BigQuery in memory, for tests and trials: the part of
// its REST API that Google's client library uses for datasets, tables and query
// jobs, over the SQL of package warehouse, with tokens for service accounts.
//
// Errors have BigQuery's reasons and words, as far as its documentation gives
// them. Requests of more than 10 MB are refused. Conflicts between transactions
// are not of themselves: one runs at a time; [Server.Play] plays them, and every
// other fault.
package bigquery
