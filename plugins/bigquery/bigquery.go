package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

const version = "0.1.0"

// settings are what an operator writes under config.
type settings struct {
	Project     string `json:"project" jsonschema:"minLength=1,description=Project that holds the dataset and pays for the queries."`
	Dataset     string `json:"dataset,omitempty" jsonschema:"minLength=1,default=rootfi,description=Dataset for the tables. It is made when it is not there."`
	Location    string `json:"location,omitempty" jsonschema:"description=Location of the dataset\\, such as EU; the default is that of the project."`
	Credentials string `json:"credentials,omitempty" jsonschema:"writeOnly=true,description=Key of a service account\\, as JSON. Without it the application default credentials are used."`
	Delete      string `json:"delete,omitempty" jsonschema:"enum=soft,enum=hard,default=soft,description=soft keeps the row of a deleted record and sets _deleted_at; hard removes it."`
	Endpoint    string `json:"endpoint,omitempty" jsonschema:"description=Address of another BigQuery\\, such as that of sluice sandbox bigquery. Without credentials it is asked without authentication."`
}

// warehouse is the destination.
type warehouse struct {
	*sqlcore.Writer // Write and DryRun; nil before Configure

	db *database
}

var (
	_ destination.Destination = (*warehouse)(nil)
	_ destination.Checker     = (*warehouse)(nil)
	_ destination.DryRunner   = (*warehouse)(nil)
)

// maxBatchBytes keeps a batch well below the ten megabytes of a request, in which
// JSON within JSON within JSON grows.
const maxBatchBytes = 2 << 20

// Describe implements [destination.Destination].
func (w *warehouse) Describe(context.Context) (destination.Description, error) {
	d := sqlcore.Describe("bigquery", version, serve.Schema[settings]())
	d.MaxBatchBytes = maxBatchBytes
	return d, nil
}

var (
	projectName = regexp.MustCompile(`^[a-z0-9.:-]{1,100}$`)
	datasetName = regexp.MustCompile(`^[A-Za-z0-9_]{1,500}$`)
)

// Configure implements [destination.Destination]. It does not connect yet.
func (w *warehouse) Configure(_ context.Context, raw json.RawMessage) error {
	s, err := serve.Decode[settings](raw)
	if err != nil {
		return err
	}
	if s.Dataset == "" {
		s.Dataset = "rootfi"
	}
	if !projectName.MatchString(s.Project) {
		return errors.New(`setting "project": write the id of the project, such as my-project-123`)
	}
	if !datasetName.MatchString(s.Dataset) {
		return errors.New(`setting "dataset": use letters, digits and underscores`)
	}
	if err := checkKey(s.Credentials); err != nil {
		return err
	}
	hard, err := sqlcore.HardDelete(s.Delete)
	if err != nil {
		return err
	}
	w.db = newDatabase(s)
	w.Writer = sqlcore.NewWriter(w.db, sqlcore.Options{HardDelete: hard, Masked: true})
	return nil
}

// checkKey looks at the key without quoting it. Other kinds of credentials may
// name programs and addresses to run and ask: they have to come from the machine.
func checkKey(text string) error {
	if text == "" {
		return nil
	}
	var key struct {
		Type       string `json:"type"`
		PrivateKey string `json:"private_key"`
	}
	if json.Unmarshal([]byte(text), &key) != nil || key.PrivateKey == "" || key.Type != "service_account" {
		return errors.New(`setting "credentials": not the key of a service account: give the whole JSON file, with type service_account`)
	}
	return nil
}

// Check implements [destination.Checker]: the credentials are good and the
// dataset is there or can be made.
func (w *warehouse) Check(ctx context.Context) error {
	if err := w.db.ensureDataset(ctx); err != nil {
		return w.Failure("check", err)
	}
	if _, err := w.db.run(ctx, "SELECT 1 AS one", nil); err != nil {
		return w.Failure("check", fmt.Errorf("run a query: %w", err))
	}
	return nil
}

// Close ends the client.
func (w *warehouse) Close() error {
	if w.db == nil {
		return nil
	}
	return w.db.close()
}
