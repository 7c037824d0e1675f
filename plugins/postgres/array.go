package main

import "github.com/jackc/pgx/v5/pgtype"

// textArray is a text[] with nulls, without the reflection that pgx needs for a
// slice of pointers.
type textArray []*string

// Dimensions implements [pgtype.ArrayGetter].
func (a textArray) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(len(a)), LowerBound: 1}}
}

// Index implements [pgtype.ArrayGetter].
func (a textArray) Index(i int) any {
	if a[i] == nil {
		return nil
	}
	return *a[i]
}

// IndexType implements [pgtype.ArrayGetter].
func (a textArray) IndexType() any { return "" }
