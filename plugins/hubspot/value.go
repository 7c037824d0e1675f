package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluicehq/sluice/plugins/destination"
)

// maxDigits bounds how long a number may become without its exponent.
const maxDigits = 400

// milliseconds is the form of moments; HubSpot keeps no finer ones.
const milliseconds = "2006-01-02T15:04:05.000Z"

// encode makes the text of a value for a property of HubSpot's type. Null is
// the empty text, which clears.
func encode(value json.RawMessage, propertyType string) (string, error) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", errors.New("the value is not JSON")
	}
	switch v := v.(type) {
	case nil:
		return "", nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		return plain(v.String())
	case string:
		if !utf8.ValidString(v) {
			return "", errors.New("the text is not UTF-8")
		}
		return encodeText(v, propertyType), nil
	default:
		var out bytes.Buffer
		if err := json.Compact(&out, value); err != nil {
			return "", errors.New("the value is not JSON")
		}
		return out.String(), nil
	}
}

// encodeText fits a moment to its property. What is none stays as it is, for
// HubSpot to judge.
func encodeText(text, propertyType string) string {
	if propertyType != "date" && propertyType != "datetime" {
		return text
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		if t, err = time.Parse(time.DateOnly, text); err != nil {
			return text
		}
	}
	if propertyType == "date" {
		return t.Format(time.DateOnly) // the day that the source wrote, wherever that was
	}
	return t.UTC().Format(milliseconds)
}

// plain writes a decimal without an exponent, digit by digit.
func plain(number string) (string, error) {
	mantissa, exponent, ok := strings.Cut(strings.ToLower(number), "e")
	if !ok {
		return number, nil
	}
	e, err := strconv.Atoi(exponent)
	_, fraction, _ := strings.Cut(mantissa, ".")
	if err != nil || e > maxDigits || e < -maxDigits || len(number) > maxDigits {
		return "", fmt.Errorf("the number is too long without its exponent; %d digits are the most", maxDigits)
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return "", errors.New("the number is not a number")
	}
	return r.FloatString(max(0, len(fraction)-e)), nil
}

// kind is how a property is made.
type kind struct{ Type, FieldType string }

// kinds by the words of property_types.
var kinds = map[string]kind{
	"text":     {"string", "text"},
	"json":     {"string", "textarea"},
	"number":   {"number", "number"},
	"boolean":  {"enumeration", "booleancheckbox"},
	"date":     {"date", "date"},
	"datetime": {"datetime", "date"},
}

// kindOf is how a property for a field is made. A field that the data model does
// not know becomes text, which takes whatever comes.
func kindOf(t destination.FieldType) kind {
	switch t {
	case destination.TypeNumber:
		return kinds["number"]
	case destination.TypeBoolean:
		return kinds["boolean"]
	case destination.TypeTimestamp:
		return kinds["datetime"]
	case destination.TypeJSON:
		return kinds["json"]
	default:
		return kinds["text"]
	}
}

// propertyName is the property of a field: HubSpot wants small letters, digits
// and _, and a letter first.
func propertyName(field string) (string, error) {
	name := strings.ToLower(field)
	if strings.HasPrefix(name, "_") {
		name = "sluice" + name
	}
	if !nameForm.MatchString(name) {
		return "", fmt.Errorf("field %q cannot be a property of HubSpot: use letters, digits and _, a letter first, 100 at most", field)
	}
	return name, nil
}
