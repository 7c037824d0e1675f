package rootfi

import (
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/event"
)

// fields are the raw values of an envelope that mean something here.
type fields struct {
	rootfiID, companyID, integration      []byte
	dataModel, operation                  []byte
	syncID, jobID, recordCount            []byte
	createdAt, rootfiCreatedAt            []byte
	connectionStatus, status, webhookType []byte
}

// envelope is the outermost object of a payload. The camel-case spellings are
// what RootFi's v4 API uses elsewhere; its webhook bodies are not documented.
type envelope struct {
	fields
	camel     fields
	eventName []byte // event, dotted: "connection.changed", "invoice.create"
	eventType []byte // eventType: "CONNECTION_CHANGED"
	data      []byte
}

func readEnvelope(object []byte) *envelope {
	e := new(envelope)
	for name, value := range members(object) {
		switch string(name) {
		case "webhook_type":
			e.webhookType = value
		case "event":
			e.eventName = value
		case "eventType", "event_type":
			e.eventType = value
		case "data":
			e.data = value
		case "rootfi_id":
			e.rootfiID = value
		case "company_id":
			e.companyID = value
		case "companyId":
			e.camel.companyID = value
		case "integration_type":
			e.integration = value
		case "integrationType", "integration":
			e.camel.integration = value
		case "data_model":
			e.dataModel = value
		case "dataModel":
			e.camel.dataModel = value
		case "type":
			e.operation = value
		case "operation":
			e.camel.operation = value
		case "sync_id":
			e.syncID = value
		case "syncId":
			e.camel.syncID = value
		case "job_id":
			e.jobID = value
		case "jobId":
			e.camel.jobID = value
		case "no_of_records":
			e.recordCount = value
		case "created_at":
			e.createdAt = value
		case "rootfi_created_at":
			e.rootfiCreatedAt = value
		case "createdAt":
			e.camel.createdAt = value
		case "connection_status":
			e.connectionStatus = value
		case "connectionStatus":
			e.camel.connectionStatus = value
		case "status":
			e.status = value
		}
	}
	return e
}

// describe fills the event from the envelope.
func (e *envelope) describe(ev *event.Event) {
	ev.ID = label(e.rootfiID)
	ev.CreatedAt = moment(first(e.createdAt, e.rootfiCreatedAt, e.camel.createdAt))
	ev.CompanyID = label(first(e.companyID, e.camel.companyID))
	ev.Integration = integrationName(label(first(e.integration, e.camel.integration)))
	ev.SyncID = label(first(e.syncID, e.camel.syncID))
	ev.JobID = label(first(e.jobID, e.camel.jobID))

	ev.Kind, ev.Format = e.classify()
	switch ev.Kind {
	case event.KindDataModelChanges:
		e.describeChanges(ev)
	case event.KindSyncStarted, event.KindSyncCompleted:
		e.describeSync(ev)
	case event.KindConnectionChanged:
		e.describeConnection(ev)
	}
}

// classify recognises kind and generation: webhook_type is v3 (or v4 with the
// types that only v4 has), a data model with an operation and no type of any
// sort is v2, event and eventType are v4.
func (e *envelope) classify() (event.Kind, string) {
	if name := text(e.webhookType); name != "" {
		kind := kindOf(name)
		return kind, e.formatV3(kind)
	}
	for _, name := range []string{text(e.eventType), text(e.eventName)} {
		if kind := kindOf(name); kind != event.KindUnknown {
			return kind, FormatV4
		}
	}
	if _, _, ok := topic(text(e.eventName)); ok {
		return event.KindDataModelChanges, FormatV4
	}
	if isNull(e.eventType) && isNull(e.eventName) && text(e.dataModel) != "" && text(e.operation) != "" {
		return event.KindDataModelChanges, FormatV2
	}
	return event.KindUnknown, FormatUnknown
}

func (e *envelope) formatV3(kind event.Kind) string {
	switch kind {
	case event.KindUnknown:
		return FormatUnknown
	case event.KindSyncStarted, event.KindIntegration:
		return FormatV4
	case event.KindConnectionChanged:
		if isNull(e.rootfiID) {
			return FormatV3
		}
		return FormatV3b
	case event.KindDataModelChanges:
		if isNull(e.rootfiID) && isNull(e.syncID) && isNull(e.jobID) && isNull(e.recordCount) {
			return FormatV3a
		}
	case event.KindSyncCompleted:
		if isNull(e.rootfiID) && isNull(e.createdAt) && isNull(e.rootfiCreatedAt) {
			return FormatV3a
		}
	}
	return FormatV3b
}

var kinds = map[string]event.Kind{
	"DATA_MODEL_CHANGES": event.KindDataModelChanges,
	"SYNC_STARTED":       event.KindSyncStarted,
	"SYNC_COMPLETED":     event.KindSyncCompleted,
	"CONNECTION_CHANGED": event.KindConnectionChanged,
	"INTEGRATION":        event.KindIntegration,
}

var dotsToUnderscores = strings.NewReplacer(".", "_", "-", "_")

// kindOf reads both spellings, CONNECTION_CHANGED and connection.changed.
func kindOf(name string) event.Kind {
	if kind, ok := kinds[name]; ok {
		return kind
	}
	if kind, ok := kinds[strings.ToUpper(dotsToUnderscores.Replace(name))]; ok {
		return kind
	}
	return event.KindUnknown
}

// topic reads a v4 topic: <model>.<create|update|delete>, as in tax_rate.update.
func topic(name string) (model string, op event.Operation, ok bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 {
		return "", "", false
	}
	op, ok = operationOf(strings.TrimSuffix(strings.ToUpper(name[dot+1:]), "D"))
	return strings.ToUpper(dotsToUnderscores.Replace(name[:dot])), op, ok
}

func operationOf(name string) (event.Operation, bool) {
	op := event.Operation(strings.ToUpper(name))
	return op, op == event.Create || op == event.Update || op == event.Delete
}

// describeChanges fills in what every change of the event has in common. When
// that is not certain (whose record, of which model, and what happened to it)
// nothing may be merged: the event is of kind unknown then, kept and visible.
func (e *envelope) describeChanges(ev *event.Event) {
	model, op, ok := topic(text(e.eventName))
	if name := label(first(e.dataModel, e.camel.dataModel)); name != "" {
		model = name
	}
	if name := text(first(e.operation, e.camel.operation)); name != "" {
		op, ok = operationOf(name)
	}
	ev.Model = modelName(model)
	records, readable := countRecords(e.data)
	if !ok || ev.Model == "" || ev.CompanyID == "" || !readable {
		ev.Kind = event.KindUnknown
		return
	}
	ev.Operation = op
	ev.Records = records
}

// countRecords counts the elements of data: a list of records, one record (v2),
// or nothing. Anything else is not readable.
func countRecords(data []byte) (count int, readable bool) {
	if isNull(data) {
		return 0, true
	}
	switch data[0] {
	case '[':
		for range elements(data) {
			count++
		}
		return count, true
	case '{':
		return 1, true
	}
	return 0, false
}

func (e *envelope) describeSync(ev *event.Event) {
	var id, status, syncType []byte
	if len(e.data) > 0 && e.data[0] == '{' {
		for name, value := range members(e.data) {
			switch string(name) {
			case "id":
				id = value
			case "status":
				status = value
			case "type":
				syncType = value
			}
		}
	}
	ev.SyncID = label(first(id, e.syncID, e.camel.syncID))
	ev.Status = label(first(status, e.status))
	ev.SyncType = label(syncType)
}

func (e *envelope) describeConnection(ev *event.Event) {
	status := first(e.connectionStatus, e.camel.connectionStatus)
	if status == nil && len(e.data) > 0 && e.data[0] == '{' {
		for name, value := range members(e.data) {
			switch string(name) {
			case "connection_status", "connectionStatus":
				status = value
			}
		}
	}
	ev.Status = label(first(status, e.status))
}

// first returns the first value that is there and not null.
func first(values ...[]byte) []byte {
	for _, v := range values {
		if !isNull(v) {
			return v
		}
	}
	return nil
}

// maxLabel bounds what becomes a column, a key or part of a workflow id.
const maxLabel = 200

// label returns a string or number of the envelope, or "" for what cannot serve
// as a name: too long, or with control characters (no database stores a NUL).
func label(raw []byte) string {
	s := scalar(raw)
	if len(s) > maxLabel || strings.TrimSpace(s) == "" || hasControl(s) {
		return ""
	}
	return s
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 })
}

// timeLayouts are the forms of created_at; v2 sends the date alone. Without a
// zone they are UTC.
var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05",
	time.DateOnly,
}

// moment returns the zero time for what it cannot read: the event is then
// ordered by the time of its arrival.
func moment(raw []byte) time.Time {
	s := text(raw)
	if s == "" {
		return time.Time{}
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
