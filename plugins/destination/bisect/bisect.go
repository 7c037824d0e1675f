// Package bisect finds the records for which a system refuses a whole batch: it
// halves the batch until they are alone. A good batch costs one call, one bad
// record among n some 2·log₂ n more.
package bisect

// Each calls try with all items. When try reports that a part of several was
// refused and one of its items may be to blame, try is called with each half of
// it. Otherwise try has settled the part; what it reports of a single item does
// not matter.
func Each[T any](items []T, try func(part []T) (refused bool)) {
	if len(items) == 0 || !try(items) || len(items) == 1 {
		return
	}
	half := len(items) / 2
	Each(items[:half], try)
	Each(items[half:], try)
}
