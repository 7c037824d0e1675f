package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
)

// Codes of bulk jobs. They are stored; never rename.
const (
	codeJobFailed   = "BULK_JOB_FAILED"
	codeJobAborted  = "BULK_JOB_ABORTED"
	codeUnprocessed = "BULK_UNPROCESSED"
)

const (
	firstPoll = 100 * time.Millisecond
	// pollErrors is how many polls in a row may fail before a job is given up.
	pollErrors = 3
	// abortTime is how long the end of a Write may wait for the abort of its job.
	abortTime = 500 * time.Millisecond
)

// job is an ingest job as Salesforce tells of it.
type job struct {
	ID        string `json:"id"`
	State     string `json:"state"`
	Message   string `json:"errorMessage"`
	Processed int    `json:"numberRecordsProcessed"`
	Failed    int    `json:"numberRecordsFailed"`
}

const jobsPath = "jobs/ingest"

// bulk upserts items of one shape by a job. A job that does not end in time is
// aborted: it must not write later than what comes after this Write. What it
// wrote until then is written again, which does no harm.
func (w *writing) bulk(ctx context.Context, items []*item) *destination.Failure {
	a, f := w.client.call(ctx, http.MethodPost, jobsPath, contentJSON, w.jobBody())
	if f != nil {
		return f
	}
	var j job
	if err := json.Unmarshal(a.body, &j); err != nil || j.ID == "" {
		return jobAnswer()
	}
	path := jobsPath + "/" + url.PathEscape(j.ID)
	if _, f = w.client.finish(ctx, http.MethodPut, path+"/batches", "text/csv; charset=UTF-8", w.csv(items)); f == nil {
		_, f = w.client.finish(ctx, http.MethodPatch, path, contentJSON, []byte(`{"state":"UploadComplete"}`))
	}
	if f == nil {
		j, f = w.wait(ctx, path)
	}
	if f != nil {
		w.abort(ctx, path)
		return ofJob(f)
	}
	return ofJob(w.outcome(ctx, path, j, items))
}

// ofJob: what is refused once a job exists is the job's fault and no record's.
func ofJob(f *destination.Failure) *destination.Failure {
	if f != nil && f.Kind == destination.Rejected {
		f.Kind = destination.Retry
	}
	return f
}

func (w *writing) jobBody() []byte {
	// A map of texts always encodes.
	body, _ := json.Marshal(map[string]string{
		"object": w.object, "operation": "upsert", "externalIdFieldName": w.external,
		"contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA",
	})
	return body
}

// csv writes the rows of a job. All items have the same columns.
func (w *writing) csv(items []*item) []byte {
	names := slices.Sorted(maps.Keys(items[0].columns()))
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	_ = out.Write(append([]string{w.external}, names...)) // a buffer takes everything
	for _, it := range items {
		columns := it.columns()
		row := []string{it.key}
		for _, name := range names {
			row = append(row, columns[name])
		}
		_ = out.Write(row)
	}
	out.Flush()
	return b.Bytes()
}

// wait polls until the job has ended.
func (w *writing) wait(ctx context.Context, path string) (job, *destination.Failure) {
	pause := min(firstPoll, w.client.options.bulkPoll)
	failed := 0
	for {
		a, f := w.client.finish(ctx, http.MethodGet, path, "", nil)
		if f != nil {
			if failed++; f.Kind != destination.Retry || ctx.Err() != nil || failed >= pollErrors {
				return job{}, f
			}
		} else {
			var j job
			if err := json.Unmarshal(a.body, &j); err != nil {
				return job{}, jobAnswer()
			}
			switch failed = 0; j.State {
			case "JobComplete", "Failed", "Aborted":
				return j, nil
			}
		}
		select {
		case <-ctx.Done():
			return job{}, &destination.Failure{
				Kind: destination.Retry, Code: httpanswer.CodeTimeout,
				Err: errors.New("the bulk job did not end within the time of one write; raise the destination's timeout"),
			}
		case <-time.After(pause):
			pause = min(pause*2, w.client.options.bulkPoll)
		}
	}
}

// abort ends a job, also when the time of the Write is over.
func (w *writing) abort(ctx context.Context, path string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	// What comes of it does not matter: a job left open ends by itself.
	_, _ = w.client.finish(ctx, http.MethodPatch, path, contentJSON, []byte(`{"state":"Aborted"}`))
}

// outcome reads what became of each row. The results are in no order: the
// external id tells them apart.
func (w *writing) outcome(ctx context.Context, path string, j job, items []*item) *destination.Failure {
	byKey := make(map[string]*item, len(items))
	for _, it := range items {
		byKey[it.key] = it
	}
	successes, f := w.rows(ctx, path+"/successfulResults/")
	if f != nil {
		return f
	}
	var failures []map[string]string
	if j.Failed > 0 || j.State != "JobComplete" {
		if failures, f = w.rows(ctx, path+"/failedResults/"); f != nil {
			return f
		}
	}
	for _, row := range successes {
		if it := byKey[row[w.external]]; it != nil {
			delete(byKey, it.key)
			w.settle(it, destination.Result{Kind: destination.Delivered, ExternalID: row["sf__Id"]})
		}
	}
	for _, row := range failures {
		if it := byKey[row[w.external]]; it != nil {
			delete(byKey, it.key)
			w.settle(it, w.client.resultOfErrors([]apiError{bulkError(row["sf__Error"])}))
		}
	}
	rest := w.unprocessed(j)
	for _, it := range byKey {
		w.settle(it, rest)
	}
	return nil
}

// unprocessed is what becomes of rows without a result.
func (w *writing) unprocessed(j job) destination.Result {
	r := destination.Result{Kind: destination.Retry, Code: codeUnprocessed, Message: "the bulk job ended without processing this record"}
	switch j.State {
	case "Failed":
		r.Code, r.Message = codeJobFailed, "the bulk job failed: "+w.client.options.quote(j.Message)
		// The header of the CSV is wrong, and will be again.
		if strings.HasPrefix(j.Message, "InvalidBatch") {
			r.Kind = destination.Rejected
		}
	case "Aborted":
		r.Code, r.Message = codeJobAborted, "the bulk job was aborted before it came to this record"
	}
	return r
}

// bulkError reads CODE:message:fields --, the form of sf__Error.
func bulkError(text string) apiError {
	code, rest, _ := strings.Cut(text, ":")
	e := apiError{StatusCode: code, Message: rest}
	if i := strings.LastIndex(rest, ":"); i >= 0 {
		fields := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest[i+1:]), "--"))
		e.Message = rest[:i]
		for field := range strings.SplitSeq(fields, ",") {
			if field = strings.TrimSpace(field); field != "" {
				e.Fields = append(e.Fields, field)
			}
		}
	}
	return e
}

// rows reads a file of results by the names of its columns.
func (w *writing) rows(ctx context.Context, path string) ([]map[string]string, *destination.Failure) {
	a, f := w.client.finish(ctx, http.MethodGet, path, "", nil)
	if f != nil {
		return nil, f
	}
	list, err := csv.NewReader(bytes.NewReader(a.body)).ReadAll()
	if err != nil {
		return nil, jobAnswer()
	}
	var out []map[string]string
	for i, row := range list {
		if i == 0 {
			continue
		}
		one := make(map[string]string, len(row))
		for column, name := range list[0] {
			one[name] = row[column]
		}
		out = append(out, one)
	}
	return out, nil
}

func jobAnswer() *destination.Failure {
	return &destination.Failure{
		Kind: destination.Retry, Code: codeAnswer,
		Err: errors.New("the answer of Salesforce about a bulk job cannot be read"),
	}
}
