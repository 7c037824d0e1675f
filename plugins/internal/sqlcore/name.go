package sqlcore

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Names says what a database asks of names.
type Names struct {
	MaxBytes  int      // longest name; 0 is no limit
	FoldsCase bool     // "Name" and "name" are one column even in quotes
	Reserved  []string // names that no column may have, in lower case
	// Allowed says which characters a name may have; nil allows all.
	Allowed func(r rune) bool
}

// hashed is the ending of a name that was made shorter or unlike others.
var hashed = regexp.MustCompile(`_[0-9a-f]{12}$`)

// safe returns the name itself where the database takes it, and otherwise what
// is left of it with a hash of the whole. Different names stay different.
func (n Names) safe(name string) string {
	tooLong := n.MaxBytes > 0 && (len(name) > n.MaxBytes || len(name) == n.MaxBytes && hashed.MatchString(name))
	if name != "" && !tooLong && utf8.ValidString(name) && strings.IndexByte(name, 0) < 0 && n.clean(name) == name {
		return name
	}
	return n.unlike(name)
}

// clean replaces what a name may not have.
func (n Names) clean(name string) string {
	if n.Allowed == nil {
		return name
	}
	return strings.Map(func(r rune) rune {
		if n.Allowed(r) {
			return r
		}
		return '_'
	}, name)
}

// unlike marks the name with a hash of itself.
func (n Names) unlike(name string) string {
	sum := sha256.Sum256([]byte(name))
	tail := "_" + hex.EncodeToString(sum[:6])
	head := n.clean(cleanText(name))
	if n.MaxBytes > 0 && len(head) > n.MaxBytes-len(tail) {
		head = head[:n.MaxBytes-len(tail)]
		for !utf8.ValidString(head) {
			head = head[:len(head)-1]
		}
	}
	return head + tail
}

// column names the column of a field. A name that is ours or the database's own
// gets an underscore at its end, and so do the names that already look like that.
func (n Names) column(field string, taken []string) string {
	base := strings.TrimRight(lower(field), "_")
	isBase := func(name string) bool { return strings.TrimRight(name, "_") == base }
	if base != "" && (slices.ContainsFunc(taken, isBase) || slices.ContainsFunc(n.Reserved, isBase)) {
		field += "_"
	}
	return n.safe(field)
}

// table names the table of an object.
func (n Names) table(object string) string {
	if strings.HasPrefix(lower(object), "sqlite_") {
		object = "_" + object // SQLite keeps these names to itself
	}
	return n.safe(object)
}

// lower folds case as databases do it in names: ASCII only.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
