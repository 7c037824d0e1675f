// Package workflows holds the workflow definitions, and nothing else: what they
// do is in package activities, what they start from is in internal/dispatch.
//
// Rules, because workflow code is replayed from recorded histories:
//
//  1. No I/O, clock, randomness, goroutine, channel, map iteration, package
//     variable or configuration here; the workflow package has its own.
//  2. One input struct and one result. Both are stored: add fields, never
//     change or remove them.
//  3. Everything a decision depends on is in the input or in an activity's result.
//  4. Every activity has a timeout and a complete retry policy.
//  5. Expected ends are results; only the unexpected is an error.
//  6. Inputs and results carry references and counts, never record contents.
//  7. A change of logic comes with a recorded history of the old logic in
//     testdata, in the same commit.
package workflows
