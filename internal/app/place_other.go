//go:build !linux

package app

import "github.com/sluicehq/sluice/internal/ledger"

// place knows how to look at a disk on Linux only.
func place(string, func(ledger.Finding)) error { return nil }
