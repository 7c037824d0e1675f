// Package sqlstate says what a SQLSTATE, which most databases give with an error,
// means for the records of a statement.
package sqlstate

import (
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
)

// kinds by whole states first, then by class, which is the first two characters.
var kinds = []struct {
	prefix string
	kind   destination.ResultKind
}{
	{"23503", destination.Dependency},    // foreign key: the parent is not there yet
	{"3D000", destination.Misconfigured}, // no such database
	{"22", destination.Rejected},         // data exception
	{"23", destination.Rejected},         // integrity constraint
	{"44", destination.Rejected},         // check option of a view
	{"54", destination.Rejected},         // program limit: too long for an index, too deep
	{"P0", destination.Rejected},         // raised by somebody's trigger
	{"28", destination.Misconfigured},    // authorization
	{"42", destination.Misconfigured},    // syntax, names, rights
}

// Kind says what a state means. What is not known may pass.
func Kind(state string) destination.ResultKind {
	for _, k := range kinds {
		if strings.HasPrefix(state, k.prefix) {
			return k.kind
		}
	}
	return destination.Retry
}
