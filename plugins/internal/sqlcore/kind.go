package sqlcore

import "github.com/sluicehq/sluice/plugins/destination"

// Kind is what a column holds.
type Kind int

// The kinds of columns.
const (
	Unknown   Kind = iota
	Boolean        // true or false
	Number         // decimal of any precision
	Timestamp      // instant, to the microsecond
	Text           // any text
	JSON           // any JSON value
	Integer        // 64 bits; only columns of our own
	Other          // a type that somebody else gave the column; takes plain text
)

var kinds = map[destination.FieldType]Kind{
	destination.TypeBoolean:   Boolean,
	destination.TypeNumber:    Number,
	destination.TypeTimestamp: Timestamp,
	destination.TypeText:      Text,
	destination.TypeJSON:      JSON,
}

// Column is a column of a table.
type Column struct {
	Name string
	Kind Kind
	Type string // the database's name of the type, where Kind is Other
}
