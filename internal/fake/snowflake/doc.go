// Package snowflake is Snowflake in memory, for tests and trials: its SQL API
// (/api/v2/statements) with key-pair authentication, over the SQL of package
// warehouse.
//
// Requests are stateless, as in the SQL API: what a request did not commit is
// undone at its end, and a request that is sent again under its id is not done
// again. Errors have Snowflake's codes, as far as its documentation gives them.
// Transactions run one after the other; [Server.Play] plays what else goes wrong.
package snowflake
