package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"
)

// The webhook types.
const (
	DataModelChanges  = "DATA_MODEL_CHANGES"
	SyncCompleted     = "SYNC_COMPLETED"
	ConnectionChanged = "CONNECTION_CHANGED"
)

// The operations.
const (
	opCreate = "CREATE"
	opUpdate = "UPDATE"
	opDelete = "DELETE"
)

// Event is one webhook: a body and what the sender knows of it.
type Event struct {
	// ID is the rootfi_id of the envelope, or "sha256:" and the hash of the
	// body where the envelope has none.
	ID          string
	Phase       Phase
	Generation  Generation
	CompanyID   string
	Integration string
	Type        string // DATA_MODEL_CHANGES, SYNC_COMPLETED or CONNECTION_CHANGED
	Model       string // of data-model changes
	Operation   string // of data-model changes
	Records     int    // elements of data
	CreatedAt   time.Time
	Body        []byte

	changes []change
}

// emitter writes the webhooks of one phase of one company.
type emitter struct {
	c       *company
	phase   Phase
	yield   func(*Event) bool
	stopped bool // the reader wants no more
	only    []string
	sync    *Sync
}

func (e *emitter) emit(ev *Event, at int64) {
	if e.stopped {
		return
	}
	ev.Phase = e.phase
	ev.CompanyID = strconv.FormatInt(e.c.id, 10)
	ev.Integration = e.c.profile.integration
	ev.CreatedAt = time.UnixMilli(at).UTC()
	if ev.ID == "" {
		sum := sha256.Sum256(ev.Body)
		ev.ID = "sha256:" + hex.EncodeToString(sum[:])
	}
	e.stopped = !e.yield(ev)
}

func (e *emitter) wants(model string) bool {
	return len(e.only) == 0 || slices.Contains(e.only, model)
}

// changes sends the changes of one model and operation in as many webhooks as
// they need. Records that get one webhook in their life go as v2.
func (e *emitter) changes(model, operation string, all []change) {
	if len(all) == 0 || !e.wants(model) {
		return
	}
	batch := make([]change, 0, e.c.opts.RecordsPerWebhook.Max)
	size := e.batchSize()
	for _, ch := range all {
		if ch.record.once {
			if !ch.record.sent {
				e.data(V2, model, operation, []change{ch})
			}
			ch.record.sent = true
			continue
		}
		ch.record.sent = true
		if batch = append(batch, ch); len(batch) >= size {
			e.data(e.generation(), model, operation, batch)
			batch = make([]change, 0, e.c.opts.RecordsPerWebhook.Max)
			size = e.batchSize()
		}
	}
	if len(batch) > 0 {
		e.data(e.generation(), model, operation, batch)
	}
}

func (e *emitter) batchSize() int {
	r := e.c.opts.RecordsPerWebhook
	return r.Min + e.c.rng.IntN(r.Max-r.Min+1)
}

// generation picks one of the v3 shapes in the mix.
func (e *emitter) generation() Generation {
	a, b := slices.Contains(e.c.opts.Generations, V3A), slices.Contains(e.c.opts.Generations, V3B)
	if a && (!b || e.c.chance(2)) {
		return V3A
	}
	return V3B
}

func (e *emitter) data(g Generation, model, operation string, batch []change) {
	if e.stopped {
		return
	}
	c := e.c
	ev := &Event{Generation: g, Type: DataModelChanges, Model: model, Operation: operation, Records: len(batch), changes: batch}
	at := c.tick()
	size := 320
	for _, ch := range batch {
		for _, f := range ch.fields {
			size += len(f.name) + len(f.value) + 4
		}
	}
	b := append(make([]byte, 0, size), '{')
	if g == V3B {
		ev.ID = c.token()
		b = appendMember(b, "rootfi_id", ev.ID)
	}
	b = append(b, `"created_at":`...)
	if g == V2 {
		b = append(b, '"')
		b = time.UnixMilli(at).UTC().AppendFormat(b, time.DateOnly)
		b = append(b, '"')
	} else {
		b = appendTime(b, at)
	}
	b = append(b, `,"company_id":`...)
	b = strconv.AppendInt(b, c.id, 10)
	b = append(b, ',')
	b = appendMember(b, "integration_type", c.profile.integration)
	if g == V3B {
		b = appendMember(b, "job_id", e.sync.job(c, model).ID)
		b = appendMember(b, "sync_id", e.sync.ID)
	}
	b = appendMember(b, "data_model", model)
	b = appendMember(b, "type", operation)
	if g == V3B {
		b = append(b, `"no_of_records":`...)
		b = strconv.AppendInt(b, int64(len(batch)), 10)
		b = append(b, ',')
	}
	if g != V2 {
		b = appendMember(b, "webhook_type", DataModelChanges)
		b = append(b, `"data":[`...)
	} else {
		b = append(b, `"data":`...)
	}
	for i, ch := range batch {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendObject(b, ch.fields)
	}
	if g != V2 {
		b = append(b, ']')
	}
	ev.Body = append(b, '}')
	e.sync.job(c, model).Records += len(batch)
	e.emit(ev, at)
}

// connection says that the connection to the platform changed.
func (e *emitter) connection(status string) {
	c, at := e.c, e.c.tick()
	b := append(make([]byte, 0, 160), '{')
	b = appendMember(b, "webhook_type", ConnectionChanged)
	b = append(b, `"company_id":`...)
	b = strconv.AppendInt(b, c.id, 10)
	b = append(b, `,"created_at":`...)
	b = append(appendTime(b, at), ',')
	b = appendMember(b, "integration_type", c.profile.integration)
	b = append(b, `"connection_status":`...)
	b = append(appendString(b, status), '}')
	e.emit(&Event{Generation: e.generation(), Type: ConnectionChanged, Body: b}, at)
}

// appendMember writes "name":"value" and a comma.
func appendMember(b []byte, name, value string) []byte {
	b = append(b, '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return append(appendString(b, value), ',')
}

func appendObject(b []byte, fields []field) []byte {
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, f.name...)
		b = append(b, '"', ':')
		b = append(b, f.value...)
	}
	return append(b, '}')
}
