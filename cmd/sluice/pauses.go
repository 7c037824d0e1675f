package main

import (
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/internal/ledger"
)

// pausesText is a destination's pause and those of its parts, in a cell.
func pausesText(s ledger.DestinationState) string {
	var all []string
	if s.Pause != nil {
		all = append(all, pauseText(*s.Pause))
	}
	const shown = 3
	for i, p := range s.Parts {
		if i == shown {
			all = append(all, fmt.Sprintf("and %d more", len(s.Parts)-shown))
			break
		}
		all = append(all, fmt.Sprintf("%s %s %s", p.Scope, p.Part, pauseText(p)))
	}
	return strings.Join(all, "; ")
}

func pauseText(p ledger.Pause) string {
	text := p.Reason + ": " + p.Message + " (since " + when(p.Since)
	switch {
	case p.Until.IsZero():
	case p.Probed():
		text += ", next probe " + when(p.Until)
	default:
		text += ", until " + when(p.Until)
	}
	return text + ")"
}
