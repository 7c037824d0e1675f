package expr

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// Bounds of what single calls may do: they are counted when they are over, so
// those that take more than one pass through their arguments have a limit of
// their own.
const (
	maxCompared = 2000     // elements that are compared each with each
	maxSorted   = 50_000   // elements
	maxMade     = 16 << 20 // bytes of text
)

var (
	errElements = safe("a list has too many elements")
	errMade     = safe("makes a text that is too long")
)

// costs says what calls take that go through lists or texts. CEL knows that of
// its own operators only.
type costs struct{}

// constant are functions whose cost does not depend on the size of what they get.
var constant = map[string]struct{}{"size": {}, "first": {}, "coalesce": {}, eachFunction: {}, holdsFunction: {}}

// CallCost implements cost.ActualCostEstimator.
func (costs) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	if _, ok := constant[function]; ok {
		return nil
	}
	total := uint64(1)
	for _, a := range args {
		total += uint64(extent(a))
	}
	return &total
}

// extent is about how many steps it takes to go through a value.
func extent(v ref.Val) int {
	switch x := v.(type) {
	case types.String:
		return len(x) / 64
	case *list:
		return len(x.items) + len(x.raw)/64
	case *Object:
		if x.absent() {
			return 0
		}
		return len(x.Fields()) + len(x.raw)/64
	case traits.Lister:
		n, _ := x.Size().(types.Int)
		return int(n)
	}
	return 0
}

// bounded refuses a call whose arguments would make it take too long.
type bounded struct {
	interpreter.InterpretableCall
	refuses func(args []ref.Val) error
}

// Exec implements interpreter.InterpretableV2.
func (b *bounded) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	args := make([]ref.Val, len(b.Args()))
	for i, a := range b.Args() {
		args[i] = a.Exec(frame)
	}
	if err := b.refuses(args); err != nil {
		return failure(err)
	}
	return b.InterpretableCall.Exec(frame)
}

// limits are the calls that are bounded.
var limits = map[string]func(args []ref.Val) error{
	"join": func(args []ref.Val) error {
		if len(args) < 2 {
			return nil
		}
		return makes(elements(args[0]), args[1])
	},
	"replace": func(args []ref.Val) error {
		if len(args) < 3 {
			return nil
		}
		s, _ := args[0].(types.String)
		return makes(len(s)+1, args[2])
	},
}

func elements(v ref.Val) int {
	l, ok := v.(traits.Lister)
	if !ok {
		return 0
	}
	n, _ := l.Size().(types.Int)
	return int(n)
}

func makes(times int, v ref.Val) error {
	if s, ok := v.(types.String); ok && times*len(s) > maxMade {
		return errMade
	}
	return nil
}
