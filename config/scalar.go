package config

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// scalarValue decodes text, numbers, booleans, durations and sizes.
func (d *decoder) scalarValue(n *yaml.Node, path []any, v reflect.Value, f field) {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, path, "", "must be %s, not %s", article(f), describe(n))
		return
	}
	text, isText, ok := d.scalar(n, path)
	if !ok {
		return
	}
	fromReference := strings.Contains(n.Value, "${")
	if n.Tag == "!!null" {
		d.fail(n, path, "give it a value, or remove the key", "has no value")
		return
	}
	kind := v.Type()
	switch {
	case kind.Kind() == reflect.String && n.Tag == "!!bool":
		d.fail(n, path, "quote it if it is meant as text", "must be text, not true or false")
		return
	case isText && !fromReference && (isNumeric(kind) && f.format != "bytes" || kind.Kind() == reflect.Bool):
		hint := ""
		if plain := reflect.New(kind).Elem(); n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			if problem, _ := setText(plain, f, text); problem == "" {
				hint = "remove the quotes"
			}
		}
		d.fail(n, path, hint, "must be %s, not text", article(f))
		return
	}
	if problem, hint := setText(v, f, text); problem != "" {
		shown := quote(text)
		if f.secret || d.resolved[identity(path)] {
			shown = "the value"
		}
		if text == "" {
			shown, problem = "", "must not be empty"
			if f.def != "" {
				hint = "remove the key for the default, " + f.def
			}
		}
		d.fail(n, path, hint, "%s", strings.TrimSpace(shown+" "+problem))
	}
}

func isNumeric(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Int, reflect.Int64, reflect.Float64:
		return t != durationType
	}
	return false
}

func article(f field) string {
	switch k := f.kindOf(); k {
	case "whole number", "number", "duration", "size", "checksum":
		return "a " + k
	case "address":
		return "an address"
	default:
		return k
	}
}

// setText puts text into a scalar of the field's type, if it is within the
// field's bounds. problem continues a sentence that begins with the value.
func setText(v reflect.Value, f field, text string) (problem, hint string) {
	switch {
	case v.Type() == durationType:
		x, err := parseDuration(text)
		if err != nil {
			hint = "write a duration such as 30s, 5m, 24h or 7d"
			if errors.Is(err, errNoUnit) {
				hint = "write the unit, such as 30s or 5m"
			}
			return err.Error(), hint
		}
		if problem, hint = inBounds(f, x, parseDuration); problem == "" {
			v.SetInt(int64(x))
		}
	case f.format == "bytes":
		x, err := parseSize(text)
		if err != nil {
			return err.Error(), "write a size such as 33554432, 512KiB or 32MiB"
		}
		if problem, hint = inBounds(f, x, parseWhole); problem == "" {
			v.SetInt(x)
		}
	case v.Kind() == reflect.Int || v.Kind() == reflect.Int64:
		x, err := parseWhole(text)
		if err != nil || v.OverflowInt(x) {
			if errors.Is(err, errNotNumber) {
				return "is not a whole number", "write digits only"
			}
			if errors.Is(err, errOctal) {
				return err.Error(), "remove the leading zero"
			}
			return errRange.Error(), "write a smaller number"
		}
		if problem, hint = inBounds(f, x, parseWhole); problem == "" {
			v.SetInt(x)
		}
	case v.Kind() == reflect.Float64:
		x, err := parseNumber(text)
		if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
			return cmpErr(err), "write a number such as 2 or 0.5"
		}
		if problem, hint = inBounds(f, x, parseNumber); problem == "" {
			v.SetFloat(x)
		}
	case v.Kind() == reflect.Bool:
		x, err := strconv.ParseBool(text)
		if err != nil || text != "true" && text != "false" {
			return "is neither true nor false", "write true or false"
		}
		v.SetBool(x)
	default:
		if problem, hint = checkText(f, text); problem == "" {
			v.SetString(text)
		}
	}
	return problem, hint
}

func cmpErr(err error) string {
	if err == nil {
		err = errRange
	}
	return err.Error()
}

// inBounds checks min and above.
func inBounds[T int64 | float64 | time.Duration](f field, x T, parse func(string) (T, error)) (problem, hint string) {
	if f.min != "" {
		if least, err := parse(f.min); err != nil {
			panic("config: min of " + f.key + " " + err.Error())
		} else if x < least {
			return "is too small", "the least is " + f.min
		}
	}
	if f.above != "" {
		if bound, err := parse(f.above); err != nil {
			panic("config: above of " + f.key + " " + err.Error())
		} else if x <= bound {
			return "is too small", "it must be more than " + strings.TrimSuffix(f.above, "s")
		}
	}
	return "", ""
}

// checkText checks enumerations, formats and emptiness.
func checkText(f field, text string) (problem, hint string) {
	if len(f.enum) > 0 {
		for _, e := range f.enum {
			if e == text {
				return "", ""
			}
		}
		hint = "one of " + strings.Join(f.enum, ", ")
		if c, ok := Nearest(text, f.enum); ok {
			hint = "did you mean " + c + "? " + hint
		}
		return "is not known here", hint
	}
	switch {
	case text == "" && (f.required || f.def != ""):
		return "is empty", ""
	case f.format == "address":
		if err := checkAddress(text); err != nil {
			return err.Error(), "write host:port, such as 127.0.0.1:8080"
		}
	case f.format == "sha256" && !sha256Text.MatchString(text):
		return "is not a SHA-256 checksum", "64 hexadecimal digits, as sha256sum prints them"
	}
	return "", ""
}
