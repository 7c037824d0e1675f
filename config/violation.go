package config

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// violation says in our words what a JSON Schema refuses. The value is used for
// suggestions only, and only when it did not come from a reference.
func violation(k jsonschema.ErrorKind, value any, isReference bool) (problem, hint string) {
	switch k := k.(type) {
	case *kind.Type:
		if k.Got == "string" && slices.ContainsFunc(k.Want, func(w string) bool { return w != "string" && w != "array" && w != "object" }) && !isReference {
			hint = "remove the quotes, if there are any"
			if slices.Contains(k.Want, "boolean") {
				hint = "write true or false, without quotes"
			}
		} else if k.Got != "string" && slices.Equal(k.Want, []string{"string"}) {
			hint = "quote it if it is meant as text"
		}
		return fmt.Sprintf("must be %s, not %s", typeNames(k.Want), typeName(k.Got)), hint
	case *kind.Enum:
		var want []string
		for _, w := range k.Want {
			want = append(want, fmt.Sprint(w))
		}
		hint = "one of " + strings.Join(want, ", ")
		if text, ok := value.(string); ok && !isReference {
			if c, ok := Nearest(text, want); ok {
				hint = "did you mean " + c + "? " + hint
			}
		}
		return "is not one of the allowed values", hint
	case *kind.Const:
		return fmt.Sprintf("must be %v", k.Want), ""
	case *kind.Format:
		return "is not a valid " + k.Want, ""
	case *kind.Pattern:
		return "does not have the required form", "it must match " + k.Want
	case *kind.MinLength:
		if k.Want == 1 {
			return "must not be empty", ""
		}
		return fmt.Sprintf("is too short: %d characters", k.Got), fmt.Sprintf("at least %d", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("is too long: %d characters", k.Got), fmt.Sprintf("at most %d", k.Want)
	case *kind.Minimum:
		return "is too small", "the least is " + decimal(k.Want)
	case *kind.Maximum:
		return "is too large", "the most is " + decimal(k.Want)
	case *kind.ExclusiveMinimum:
		return "is too small", "it must be more than " + decimal(k.Want)
	case *kind.ExclusiveMaximum:
		return "is too large", "it must be less than " + decimal(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + decimal(k.Want), ""
	case *kind.MinItems:
		return "has too few items", fmt.Sprintf("at least %d", k.Want)
	case *kind.MaxItems:
		return "has too many items", fmt.Sprintf("at most %d", k.Want)
	case *kind.MinProperties:
		return "has too few settings", fmt.Sprintf("at least %d", k.Want)
	case *kind.MaxProperties:
		return "has too many settings", fmt.Sprintf("at most %d", k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("items %d and %d are the same", k.Duplicates[0]+1, k.Duplicates[1]+1), "remove one of them"
	case *kind.FalseSchema:
		return "is not allowed here", "remove it"
	default:
		return "is not what the plugin takes", "see the plugin's reference"
	}
}

// decimal writes a bound exactly, without the fraction's trailing zeros.
func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return strings.TrimRight(r.FloatString(12), "0")
}

func typeName(t string) string {
	switch t {
	case "string":
		return "text"
	case "integer":
		return "a whole number"
	case "number":
		return "a number"
	case "boolean":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "a mapping"
	default:
		return "nothing"
	}
}

func typeNames(types []string) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = typeName(t)
	}
	return strings.Join(names, " or ")
}
