package sandbox

import "strconv"

// Sync is one run of the sender against a company's platform.
type Sync struct {
	ID          string
	CompanyID   string
	Integration string
	Full        bool
	Type        string // PULL or PUSH
	Status      string // CREATED, RUNNING, SUCCESS or FAILED
	Start, End  string // RFC 3339, milliseconds
	Jobs        []*Job
}

// Job is the part of a sync that concerns one data model.
type Job struct {
	ID      string
	Model   string
	Status  string
	Records int
}

func (c *company) newSync(full bool) *Sync {
	s := &Sync{
		ID: c.token(), CompanyID: strconv.FormatInt(c.id, 10), Integration: c.profile.integration,
		Full: full, Type: "PULL", Status: "CREATED",
	}
	c.syncs = append(c.syncs, s)
	return s
}

// job returns the sync's job for a model, new if need be.
func (s *Sync) job(c *company, model string) *Job {
	for _, j := range s.Jobs {
		if j.Model == model {
			return j
		}
	}
	j := &Job{ID: c.token(), Model: model, Status: "SUCCESS"}
	s.Jobs = append(s.Jobs, j)
	return j
}

func (s *Sync) failed() (n int) {
	for _, j := range s.Jobs {
		if j.Status == "FAILED" {
			n++
		}
	}
	return n
}

// begin starts a sync; the one given was announced before, over the API.
func (e *emitter) begin(s *Sync, full bool) {
	if s == nil {
		s = e.c.newSync(full)
	}
	e.sync = s
	s.Start = e.stamp(e.c.tick())
}

// complete ends the running sync and says so. Now and then a model that has no
// records here failed: that must not look like a failed sync.
func (e *emitter) complete() {
	if e.c.chance(3) {
		e.sync.job(e.c, "PURCHASE_ORDERS").Status = "FAILED"
	}
	e.sync.Status = "SUCCESS"
	e.announce()
}

// fail is a sync that brought nothing.
func (e *emitter) fail() {
	e.begin(nil, false)
	for _, model := range []string{invoices, bills, contacts} {
		e.sync.job(e.c, model).Status = "FAILED"
	}
	e.sync.Status = "FAILED"
	e.announce()
}

// push is a write to the platform that someone asked for: it ends like a sync.
func (e *emitter) push() {
	e.begin(nil, false)
	e.sync.Type = "PUSH"
	e.sync.job(e.c, invoices)
	e.sync.Status = "SUCCESS"
	e.announce()
}

func (e *emitter) stamp(ms int64) string {
	text := appendTime(nil, ms)
	return string(text[1 : len(text)-1])
}

func (e *emitter) announce() {
	c, s, g := e.c, e.sync, e.generation()
	s.End = e.stamp(c.tick())
	ev := &Event{Generation: g, Type: SyncCompleted}
	at := c.tick()
	b := append(make([]byte, 0, 800), '{')
	if g == V3B {
		ev.ID = c.token()
		b = appendMember(b, "rootfi_id", ev.ID)
		b = append(b, `"created_at":`...)
		b = append(appendTime(b, at), ',')
	}
	b = append(b, `"company_id":`...)
	b = append(strconv.AppendInt(b, c.id, 10), ',')
	b = appendMember(b, "integration_type", c.profile.integration)
	b = appendMember(b, "webhook_type", SyncCompleted)
	b = append(b, `"data":{`...)
	b = appendMember(b, "id", s.ID)
	b = appendMember(b, "status", s.Status)
	b = appendMember(b, "type", s.Type)
	b = appendMember(b, "start_time", s.Start)
	b = appendMember(b, "end_time", s.End)
	for _, count := range []struct {
		name string
		n    int
	}{
		{"total", len(s.Jobs)}, {"success", len(s.Jobs) - s.failed()}, {"failed", s.failed()}, {"running", 0}, {"created", 0},
	} {
		b = append(b, '"')
		b = append(b, count.name...)
		b = append(b, `_jobs_count":`...)
		b = append(strconv.AppendInt(b, int64(count.n), 10), ',')
	}
	if g == V3B {
		b = append(b, `"data_models":[`...)
	} else {
		b = append(b, `"jobs":[`...)
	}
	for i, j := range s.Jobs {
		if i > 0 {
			b = append(b, ',')
		}
		if g == V3B {
			b = appendString(b, j.Model)
		} else {
			b = appendJob(b, s, j)
		}
	}
	ev.Body = append(b, `]}}`...)
	e.emit(ev, at)
}

func appendJob(b []byte, s *Sync, j *Job) []byte {
	b = append(b, '{')
	b = appendMember(b, "rootfi_id", j.ID)
	b = appendMember(b, "status", j.Status)
	if j.Status == "FAILED" {
		b = append(b, `"error":{"message":"the platform answered 500"},`...)
	} else {
		b = append(b, `"error":{},`...)
	}
	b = appendMember(b, "data_model", j.Model)
	b = appendMember(b, "job_type", s.Type)
	b = appendMember(b, "start_time", s.Start)
	b = appendMember(b, "end_time", s.End)
	b = append(b, `"upload_job_id":`...)
	return append(appendString(b, s.ID), '}')
}
