// Package arch holds the architecture as tests: which package may import which,
// and what every package must have. It has no code of its own and links none, so
// that its tests are quick and run in every mode.
package arch
