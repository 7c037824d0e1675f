package rootfi

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/internal/event"
)

// Unkeyed is an element of data that cannot be merged because nothing says which
// record it is. Reason quotes nothing of the element.
type Unkeyed struct {
	Index  int
	Reason string
}

// maxPlatformID keeps keys within what databases index.
const maxPlatformID = 1024

// Changes decodes the elements of a data-model event, in order. Events of other
// kinds have none. Values keep their exact number text; they share memory with
// ev.Body.
func Changes(ev event.Event) ([]event.Change, []Unkeyed, error) {
	if ev.Kind != event.KindDataModelChanges {
		return nil, nil, nil
	}
	if len(ev.Body) == 0 {
		return nil, nil, errors.New("changes: the body of the event is not kept any more")
	}
	doc, err := document(ev.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("changes: %w", err)
	}
	if doc[0] != '{' {
		return nil, nil, errors.New("changes: the body is not an object")
	}
	data := readEnvelope(doc).data
	if isNull(data) {
		return nil, nil, nil
	}

	d := decoder{ev: &ev}
	switch data[0] {
	case '{':
		d.add(0, data)
	case '[':
		d.changes = make([]event.Change, 0, ev.Records)
		for i, element := range elements(data) {
			d.add(i, element)
		}
	default:
		return nil, nil, errors.New("changes: data is neither a record nor a list of records")
	}
	if d.err != nil {
		return nil, nil, d.err
	}
	return d.changes, d.unkeyed, nil
}

type decoder struct {
	ev      *event.Event
	changes []event.Change
	unkeyed []Unkeyed
	err     error
}

func (d *decoder) add(index int, element []byte) {
	if element[0] != '{' {
		d.unkeyed = append(d.unkeyed, Unkeyed{index, "the element is not an object"})
		return
	}
	values := make(map[string]json.RawMessage, 24)
	var platformID, rootfiID []byte
	for name, raw := range members(element) {
		value, err := event.Canonical(raw)
		if err != nil {
			d.err = errors.Join(d.err, fmt.Errorf("changes: element %d: a value cannot be decoded", index))
			return
		}
		values[string(name)] = value
		switch string(name) {
		case "platform_id":
			platformID = value
		case "rootfi_id":
			rootfiID = value
		}
	}

	id, reason := identity(platformID, rootfiID)
	if reason != "" {
		d.unkeyed = append(d.unkeyed, Unkeyed{index, reason})
		return
	}
	d.changes = append(d.changes, event.Change{
		Key: event.RecordKey{
			Source:      d.ev.Source,
			CompanyID:   d.ev.CompanyID,
			Integration: d.ev.Integration,
			Model:       d.ev.Model,
			PlatformID:  id,
		},
		Operation: d.ev.Operation,
		Stamp:     d.ev.Stamp(index),
		Fields:    values,
	})
}

// identity returns what identifies the record of an element within its model, or
// the reason why nothing does.
func identity(platformID, rootfiID []byte) (id, reason string) {
	if id = scalar(platformID); id == "" {
		if !isNull(platformID) && platformID[0] != '"' {
			return "", "platform_id is neither a string nor a number"
		}
		// Records are addressed by platform_id alone, in RootFi's own foreign keys
		// as well; this keeps one without it from being lost.
		if id = scalar(rootfiID); id == "" {
			return "", "the element has neither platform_id nor rootfi_id"
		}
		id = "rootfi_id:" + id
	}
	switch {
	case len(id) > maxPlatformID:
		return "", fmt.Sprintf("platform_id is longer than %d bytes", maxPlatformID)
	case hasControl(id):
		return "", "platform_id has control characters"
	}
	return id, ""
}
