package salesforce

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
)

// job is one ingest job.
type job struct {
	ID       string `json:"id"`
	Object   string `json:"object"`
	Op       string `json:"operation"`
	External string `json:"externalIdFieldName"`
	State    string `json:"state"`
	Content  string `json:"contentType"`
	Ending   string `json:"lineEnding"`
	Comma    string `json:"columnDelimiter"`
	Done     int    `json:"numberRecordsProcessed"`
	Failed   int    `json:"numberRecordsFailed"`
	Error    string `json:"errorMessage,omitempty"`

	header                           []string
	rows                             [][]string
	uploaded                         bool
	polls                            int
	successes, failures, unprocessed [][]string
}

func (s *Server) createJob(c *call) {
	j := &job{State: "Open"}
	if err := json.Unmarshal(c.body, j); err != nil || j.Op != "upsert" || j.Content != "CSV" || j.Ending != "LF" || j.Comma != "COMMA" || j.State != "Open" {
		c.refuse(http.StatusBadRequest, problem("INVALIDJOB", "this fake takes upserts of CSV with LF and COMMA"))
		return
	}
	if _, ok := s.options.Schema[j.Object]; !ok {
		c.refuse(http.StatusBadRequest, problem("INVALIDENTITY", "Unable to find object: "+j.Object))
		return
	}
	if !s.options.Schema[j.Object][j.External].ExternalID {
		c.refuse(http.StatusBadRequest, problem("INVALIDJOB", "InvalidJob : Field name provided, "+j.External+" does not match an External ID, Salesforce Id, or indexed field for "+j.Object))
		return
	}
	j.ID = fmt.Sprintf("750xx%013d", len(s.jobs)+1)
	s.jobs[j.ID] = j
	answer(c.w, http.StatusOK, j)
}

// jobOf returns the job of the path.
func (s *Server) jobOf(c *call) *job {
	j := s.jobs[c.r.PathValue("job")]
	if j == nil {
		c.refuse(http.StatusNotFound, problem("NOT_FOUND", "The requested resource does not exist"))
	}
	return j
}

func (s *Server) upload(c *call) {
	j := s.jobOf(c)
	if j == nil {
		return
	}
	if j.uploaded || j.State != "Open" {
		c.refuse(http.StatusBadRequest, problem("INVALIDJOBSTATE", "Found multiple contents for job: "+j.ID+", please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job"))
		return
	}
	if !strings.HasPrefix(c.r.Header.Get("Content-Type"), "text/csv") {
		c.refuse(http.StatusBadRequest, problem("INVALIDCONTENTTYPE", "use text/csv"))
		return
	}
	rows, err := csv.NewReader(strings.NewReader(string(c.body))).ReadAll()
	if err != nil || len(rows) == 0 {
		c.refuse(http.StatusBadRequest, problem("INVALIDBATCH", "the content is no CSV"))
		return
	}
	j.uploaded, j.header, j.rows = true, rows[0], rows[1:]
	c.records = len(j.rows)
	c.w.WriteHeader(http.StatusCreated)
}

func (s *Server) changeJob(c *call) {
	j := s.jobOf(c)
	if j == nil {
		return
	}
	var change struct {
		State string `json:"state"`
	}
	err := json.Unmarshal(c.body, &change)
	ended := j.State != "Open" && j.State != "UploadComplete" && j.State != "InProgress"
	switch {
	case err != nil, ended, change.State == "UploadComplete" && j.State != "Open", change.State != "UploadComplete" && change.State != "Aborted":
		c.refuse(http.StatusBadRequest, problem("INVALIDJOBSTATE", "the job cannot go from "+j.State+" to "+change.State))
		return
	case change.State == "Aborted":
		j.unprocessed = j.rows
	}
	j.State = change.State
	answer(c.w, http.StatusOK, j)
}

// showJob answers a poll; the polls drive the job on.
func (s *Server) showJob(c *call) {
	j := s.jobOf(c)
	if j == nil {
		return
	}
	if (j.State == "UploadComplete" || j.State == "InProgress") && !s.faults.stuck {
		j.State = "InProgress"
		if j.polls++; j.polls >= s.options.BulkPolls {
			s.process(j)
		}
	}
	answer(c.w, http.StatusOK, j)
}

// process writes the rows of a job.
func (s *Server) process(j *job) {
	fault := s.faults.job
	s.faults.job = nil
	j.State = "JobComplete"
	rows := j.rows
	if fault != nil {
		if fault.State != "" {
			j.State = fault.State
		}
		j.Error = fault.Message
		n := min(fault.Processed, len(rows))
		rows, j.unprocessed = rows[:n], rows[n:]
	}
	for _, name := range j.header {
		relation, _, nested := strings.Cut(name, ".")
		_, _, isRelation := s.options.Schema.relationship(j.Object, relation)
		if _, known := s.options.Schema[j.Object][name]; !known && (!nested || !isRelation) {
			j.State, j.Error, j.unprocessed = "Failed", "InvalidBatch : Field name not found : "+name, j.rows
			return
		}
	}
	for _, row := range rows {
		j.Done++
		id, created, err := s.bulkRow(j, row)
		if err != nil {
			j.Failed++
			text := fmt.Sprintf("%s:%s:%s --", err.Code, err.Message, strings.Join(err.Fields, ", "))
			j.failures = append(j.failures, append([]string{id, text}, row...))
			continue
		}
		j.successes = append(j.successes, append([]string{id, fmt.Sprint(created)}, row...))
	}
}

// bulkRow writes one row: an empty cell leaves the field as it is, #N/A empties it.
func (s *Server) bulkRow(j *job, row []string) (string, bool, *apiError) {
	values := map[string]*string{}
	for i, name := range j.header {
		cell := row[i]
		if cell == "" {
			continue
		}
		if cell == "#N/A" {
			values[name] = nil
			continue
		}
		if relation, external, nested := strings.Cut(name, "."); nested {
			field, f, _ := s.options.Schema.relationship(j.Object, relation)
			id, err := s.parentID(f, external, cell)
			if err != nil {
				return "", false, err
			}
			values[field] = &id
			continue
		}
		f := s.options.Schema[j.Object][name]
		raw, err := json.Marshal(cell)
		if f.Kind == Number {
			raw, err = []byte(cell), nil
		}
		if err != nil || !json.Valid(raw) {
			return "", false, problem("INVALID_TYPE_ON_FIELD_IN_RECORD", name+": value not of required type: "+cell, name)
		}
		if _, ok := f.fromJSON(raw); !ok {
			return "", false, problem("INVALID_TYPE_ON_FIELD_IN_RECORD", name+": value not of required type: "+cell, name)
		}
		values[name] = &cell
	}
	return s.upsert(j.Object, j.External, values)
}

// results answers one of the result files. The order of the rows is no promise.
func (s *Server) results(kind string) func(*call) {
	return func(c *call) {
		j := s.jobOf(c)
		if j == nil {
			return
		}
		rows, header := j.unprocessed, j.header
		switch kind {
		case "successfulResults":
			rows, header = j.successes, append([]string{"sf__Id", "sf__Created"}, j.header...)
		case "failedResults":
			rows, header = j.failures, append([]string{"sf__Id", "sf__Error"}, j.header...)
		}
		shuffled := slices.Clone(rows)
		rand.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
		c.w.Header().Set("Content-Type", "text/csv")
		w := csv.NewWriter(c.w)
		_ = w.Write(header) // errors show in Flush: the client went away
		_ = w.WriteAll(shuffled)
	}
}
