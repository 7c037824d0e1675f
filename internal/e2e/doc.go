// Package e2e tests Sluice as its users run it: the binaries of this tree, with
// real Temporal, PostgreSQL, plugin processes, HTTP and a browser. Its tests hold
// the invariants of the design: what was acknowledged is delivered whatever
// dies, order does not matter, a failing destination delays no other, nothing
// that is secret leaks.
package e2e
