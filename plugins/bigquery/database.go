package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/bigquery"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	htransport "google.golang.org/api/transport/http"
)

// database implements [sqlcore.Database].
type database struct {
	dialect
	settings settings
	patience time.Duration // of the client's own repetitions of one request

	mu     sync.Mutex
	client *bigquery.Client         // nil until it is needed
	idle   func()                   // closes its idle connections: the client itself does not
	turns  map[string]chan struct{} // by table: writers of this process take turns
}

var _ sqlcore.Database = (*database)(nil)

func newDatabase(s settings) *database {
	return &database{
		dialect:  dialect{dataset: s.Project + "." + s.Dataset, rows: "rows1"},
		settings: s, patience: 15 * time.Second, turns: map[string]chan struct{}{},
	}
}

// connected returns the client. Its life is not that of the call that makes it.
func (d *database) connected() (*bigquery.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client != nil {
		return d.client, nil
	}
	base := http.DefaultTransport.(*http.Transport).Clone()
	var transport http.RoundTripper = base
	var options []option.ClientOption
	if d.settings.Endpoint != "" {
		options = append(options, option.WithEndpoint(strings.TrimSuffix(d.settings.Endpoint, "/")+"/bigquery/v2/"))
	}
	if d.settings.Credentials != "" || d.settings.Endpoint == "" {
		found, err := d.credentials(&http.Client{Transport: base})
		if err != nil {
			return nil, errCredentials
		}
		authorized, err := htransport.NewTransport(context.Background(), base, option.WithAuthCredentials(found))
		if err != nil {
			return nil, errCredentials
		}
		transport = authorized
	}
	options = append(options, option.WithHTTPClient(&http.Client{Transport: transport}))
	c, err := bigquery.NewClient(context.Background(), d.settings.Project, options...)
	if err != nil {
		return nil, errCredentials
	}
	c.Location = d.settings.Location
	d.client, d.idle = c, base.CloseIdleConnections
	return c, nil
}

// credentials are those of the settings or of the machine; their tokens come by c.
func (d *database) credentials(c *http.Client) (*auth.Credentials, error) {
	options := &credentials.DetectOptions{Scopes: []string{bigquery.Scope}, Client: c}
	if d.settings.Credentials == "" {
		return credentials.DetectDefault(options)
	}
	return credentials.NewCredentialsFromJSON(credentials.ServiceAccount, []byte(d.settings.Credentials), options)
}

// errCredentials stands for errors that may quote the key.
var errCredentials = &setupError{"CREDENTIALS", "no usable credentials: give credentials, or application default credentials on the machine"}

// forget drops a client whose token was refused: another one gets a new token.
func (d *database) forget(c *bigquery.Client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client == c {
		d.client = nil
		d.idle()
	}
}

func (d *database) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client == nil {
		return nil
	}
	d.idle()
	return d.client.Close()
}

// slowLink is how many bytes a second a request may take to be sent.
const slowLink = 256 << 10

// call makes a small request.
func (d *database) call(ctx context.Context, f func(ctx context.Context, c *bigquery.Client) error) error {
	return d.send(ctx, 0, f)
}

// send makes a request of so many bytes, and once more with a new token if the first is refused.
// The client repeats requests for as long as it is let: it is not let long, so
// that a warehouse that asks to wait is known as such.
func (d *database) send(ctx context.Context, size int, f func(ctx context.Context, c *bigquery.Client) error) error {
	for try := 0; ; try++ {
		c, err := d.connected()
		if err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, d.patience+time.Duration(size)*time.Second/slowLink)
		err = f(bounded, c)
		cancel()
		if e, ok := errors.AsType[*googleapi.Error](err); !ok || e.Code != http.StatusUnauthorized || try > 0 {
			return err
		}
		d.forget(c)
	}
}

// run runs a query or script to its end and returns its status.
func (d *database) run(ctx context.Context, sql string, params map[string]string) (*bigquery.JobStatus, error) {
	size := len(sql)
	for _, value := range params {
		size += len(value)
	}
	var job *bigquery.Job
	err := d.send(ctx, size, func(ctx context.Context, c *bigquery.Client) (err error) {
		q := c.Query(sql)
		for name, value := range params {
			q.Parameters = append(q.Parameters, bigquery.QueryParameter{Name: name, Value: value})
		}
		// Where the answer is lost, the client sends the job again under its id.
		q.JobID = "sluice_" + strings.ToLower(rand.Text())
		job, err = q.Run(ctx)
		return err
	})
	for pause := 50 * time.Millisecond; err == nil; pause = min(2*pause, 2*time.Second) {
		var status *bigquery.JobStatus
		err = d.call(ctx, func(ctx context.Context, c *bigquery.Client) (err error) {
			current, err := c.JobFromProject(ctx, c.Project(), job.ID(), job.Location())
			if err == nil {
				status = current.LastStatus()
			}
			return err
		})
		if err != nil {
			break
		}
		if status.Done() {
			return status, status.Err()
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
	return nil, err
}

// Columns implements [sqlcore.Database].
func (d *database) Columns(ctx context.Context, table string) ([]sqlcore.Column, error) {
	var found *bigquery.TableMetadata
	err := d.call(ctx, func(ctx context.Context, c *bigquery.Client) (err error) {
		found, err = c.Dataset(d.settings.Dataset).Table(table).Metadata(ctx)
		return err
	})
	if e, ok := errors.AsType[*googleapi.Error](err); ok && e.Code == http.StatusNotFound && !strings.Contains(e.Message, "Project") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make([]sqlcore.Column, 0, len(found.Schema))
	for _, f := range found.Schema {
		out = append(out, column(f))
	}
	return out, nil
}

// column says what a column is good for. A type that is not ours is left to
// BigQuery.
func column(f *bigquery.FieldSchema) sqlcore.Column {
	plain := !f.Repeated && f.MaxLength == 0 && f.Precision == 0
	switch {
	case plain && f.Type == bigquery.StringFieldType:
		return sqlcore.Column{Name: f.Name, Kind: sqlcore.Text}
	case plain && f.Type == bigquery.BooleanFieldType:
		return sqlcore.Column{Name: f.Name, Kind: sqlcore.Boolean}
	case plain && f.Type == bigquery.BigNumericFieldType:
		return sqlcore.Column{Name: f.Name, Kind: sqlcore.Number}
	case plain && f.Type == bigquery.TimestampFieldType:
		return sqlcore.Column{Name: f.Name, Kind: sqlcore.Timestamp}
	}
	names := map[bigquery.FieldType]string{bigquery.IntegerFieldType: "INT64", bigquery.FloatFieldType: "FLOAT64"}
	name, ok := names[f.Type]
	if !ok {
		name = string(f.Type)
	}
	return sqlcore.Column{Name: f.Name, Kind: sqlcore.Other, Type: name}
}

func (d *database) ensureDataset(ctx context.Context) error {
	return d.call(ctx, func(ctx context.Context, c *bigquery.Client) error {
		set := c.Dataset(d.settings.Dataset)
		_, err := set.Metadata(ctx)
		if e, ok := errors.AsType[*googleapi.Error](err); ok && e.Code == http.StatusNotFound {
			err = set.Create(ctx, &bigquery.DatasetMetadata{Location: d.settings.Location})
			if e, ok := errors.AsType[*googleapi.Error](err); ok && e.Code == http.StatusConflict {
				return nil // somebody else made it
			}
		}
		return err
	})
}

// Alter implements [sqlcore.Database].
func (d *database) Alter(ctx context.Context, table string, plan func([]sqlcore.Column) ([]sqlcore.Alteration, error)) error {
	if err := d.ensureDataset(ctx); err != nil {
		return err
	}
	if err := d.ensureLock(ctx, table); err != nil {
		return err
	}
	now, err := d.Columns(ctx, table)
	if err != nil {
		return err
	}
	alterations, err := plan(now)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(alterations, func(a sqlcore.Alteration) bool { return a.Widen != nil }) {
		return d.apply(ctx, table, alterations) // repeated or done by two at once, this does no harm
	}
	return d.locked(ctx, table, func() error {
		now, err := d.Columns(ctx, table)
		if err != nil {
			return err
		}
		alterations, err := plan(now)
		if err != nil {
			return err
		}
		return d.apply(ctx, table, alterations)
	})
}

func (d *database) apply(ctx context.Context, table string, alterations []sqlcore.Alteration) error {
	for _, a := range alterations {
		for _, sql := range d.RenderAlteration(table, a) {
			if _, err := d.run(ctx, sql, nil); err != nil {
				return a.Refused(err)
			}
		}
	}
	return nil
}

// Write implements [sqlcore.Database]: all statements are one script, which is one
// transaction.
func (d *database) Write(ctx context.Context, w sqlcore.Work) error {
	script := []string{
		"BEGIN TRANSACTION",
		// Only one transaction at a time can change this row; what comes after it sees
		// all that the ones before it did.
		fmt.Sprintf("UPDATE %s SET writes = writes + 1 WHERE TRUE", d.lock(w.Table)),
		fmt.Sprintf("ASSERT EXISTS (SELECT 1 FROM %s WHERE until IS NULL OR until < CURRENT_TIMESTAMP()) AS '%s'", d.lock(w.Table), beingAltered),
	}
	params, size := map[string]string{}, 0
	for i, s := range w.Statements {
		numbered := d.dialect
		numbered.rows = fmt.Sprintf("rows%d", i+1)
		rows, err := encode(s)
		if err != nil {
			return err
		}
		script = append(script, numbered.Render(s))
		params[numbered.rows] = rows
		size += len(rows) + strings.Count(rows, `"`) + strings.Count(rows, `\`)
	}
	script = append(script, "COMMIT TRANSACTION")
	sql := strings.Join(script, ";\n") + ";"
	if size+len(sql) > maxRequest {
		return errTooLarge
	}
	release, err := d.turn(ctx, w.Table)
	if err != nil {
		return err
	}
	defer release()
	_, err = d.run(ctx, sql, params)
	if d.Fault(err).Kind == sqlcore.Stale {
		// Somebody may have dropped the table that we lock; the core looks again.
		return errors.Join(err, d.ensureDataset(ctx), d.ensureLock(ctx, w.Table))
	}
	return err
}

// maxRequest is what BigQuery takes in one request, less what else is in it.
const maxRequest = 9 << 20

// errTooLarge makes the core halve the batch.
var errTooLarge = errors.New("more than the 10 MB that BigQuery takes in one request")

// encode writes the rows as the parameter has them.
func encode(s sqlcore.Statement) (string, error) {
	rows := make([][]*string, len(s.Values[0]))
	for i := range rows {
		for _, values := range s.Values {
			rows[i] = append(rows[i], values[i])
		}
		if len(s.Masks) > 0 {
			rows[i] = append(rows[i], &s.Masks[i])
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(rows)
	return strings.TrimSpace(b.String()), err
}
