// Package rootfi reads the webhooks of RootFi (later Integration Labs, now
// Commenda Integrations): every generation of their payload becomes one
// [event.Event], and the elements of its data become changes. It also holds the
// catalog of RootFi's data models.
//
// The endpoint calls [Parse] before it answers, so Parse reads the envelope
// only. What Apply merges comes from [Changes], later and off the request's way.
// Both are pure: no I/O, no clock. Neither rejects what it does not know: names
// of models, integrations and statuses are open sets, and JSON of any other
// shape is an event of kind unknown.
package rootfi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/event"
)

// ErrNotJSON is returned for a body that is not one JSON value.
var ErrNotJSON = errors.New("the body is not JSON")

// The generations of the payload. Stored; never rename.
const (
	FormatV2      = "rootfi/v2"
	FormatV3      = "rootfi/v3" // the same in v3a and v3b
	FormatV3a     = "rootfi/v3a"
	FormatV3b     = "rootfi/v3b"
	FormatV4      = "rootfi/v4" // as far as it is known
	FormatUnknown = "rootfi/unknown"
)

// Parse reads the envelope of a webhook body. The only error is [ErrNotJSON].
// The event keeps body without copying it.
func Parse(source string, body []byte, received time.Time) (event.Event, error) {
	doc, err := document(body)
	if err != nil {
		return event.Event{}, err
	}
	ev := event.Event{
		Source:     source,
		Kind:       event.KindUnknown,
		Format:     FormatUnknown,
		ReceivedAt: received,
		Body:       body,
	}
	if doc[0] == '{' {
		readEnvelope(doc).describe(&ev)
	}
	if ev.ID == "" {
		sum := sha256.Sum256(body)
		ev.ID = "sha256:" + hex.EncodeToString(sum[:16])
		ev.HashedID = true
	}
	return ev, nil
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// document returns the JSON value of a body: exactly one, without the byte order
// mark and white space around it. The scanner of this package relies on it being
// valid. Bytes that are not UTF-8 are tolerated inside strings (a webhook refused
// is a webhook lost) and read as U+FFFD.
func document(body []byte) ([]byte, error) {
	doc := bytes.TrimPrefix(body, byteOrderMark)
	if json.Valid(doc) {
		return bytes.Trim(doc, " \t\r\n"), nil
	}
	// Only to say where. The text of the syntax error quotes the body, so it
	// stays out of ours.
	var ignored json.RawMessage
	err := json.Unmarshal(doc, &ignored)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, fmt.Errorf("%w: syntax error at byte %d of %d", ErrNotJSON, syntax.Offset, len(doc))
	}
	return nil, ErrNotJSON
}
