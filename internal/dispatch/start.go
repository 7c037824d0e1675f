package dispatch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/fault"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/workflows"
)

// Starter starts the workflow of a batch. An error that is a
// serviceerror.WorkflowExecutionAlreadyStarted says that it was started before.
type Starter interface {
	Start(ctx context.Context, b ledger.Batch) error
	// Restart starts the batch's workflow again if none is running for it, and
	// reports whether it did.
	Restart(ctx context.Context, b ledger.Batch) (bool, error)
}

// TemporalStarter starts workflows on a Temporal server.
type TemporalStarter struct {
	Client    func() client.Client // nil while there is no connection
	TaskQueue string
	// IDPrefix sets this Sluice's workflows apart from those of others in the
	// namespace.
	IDPrefix string
	// Eager asks for the first workflow task with the answer to the start, for a
	// worker in this process: one round trip less. It takes no account of worker
	// versions.
	Eager  bool
	Logger *slog.Logger
}

// maxAttribute is Temporal's default limit of a search attribute's value. Of
// lists that are longer the first values are kept. The embedded server could be
// told to take more, but it indexes every value anew each time a workflow starts,
// changes and ends: the ids of 500 events made it write megabytes per workflow.
const maxAttribute = 2 << 10

// errNoConnection is what Start returns until Temporal was reached once.
var errNoConnection = fmt.Errorf("not connected to temporal yet")

// Start implements [Starter].
func (s *TemporalStarter) Start(ctx context.Context, b ledger.Batch) error {
	return s.start(ctx, b, s.id(b))
}

func (s *TemporalStarter) id(b ledger.Batch) string { return s.IDPrefix + WorkflowID(b) }

func (s *TemporalStarter) start(ctx context.Context, b ledger.Batch, id string) error {
	c := s.Client()
	if c == nil {
		return errNoConnection
	}
	o := client.StartWorkflowOptions{
		ID:        id,
		TaskQueue: s.TaskQueue,
		// A workflow that somebody terminated may be started again; one that
		// completed may not.
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		EnableEagerStart:                         s.Eager,
		TypedSearchAttributes:                    attributes(b, maxAttribute),
		StaticSummary:                            summary(b),
	}
	in := workflows.DeliverInput{Batch: b.ID, Events: len(b.Events)}
	_, err := c.ExecuteWorkflow(ctx, o, workflows.DeliverEventsName, in)
	if _, refused := errors.AsType[*serviceerror.InvalidArgument](err); refused {
		// Being found in the UI matters less than being delivered: some limit of
		// this server is lower than what is known here.
		s.Logger.Error("temporal refuses the search attributes of a workflow, it is started without", "workflow", id, "err", err)
		o.TypedSearchAttributes, o.StaticSummary = temporal.SearchAttributes{}, ""
		_, err = c.ExecuteWorkflow(ctx, o, workflows.DeliverEventsName, in)
	}
	fault.Point(fault.AfterWorkflow)
	return err
}

// Restart implements [Starter].
func (s *TemporalStarter) Restart(ctx context.Context, b ledger.Batch) (bool, error) {
	c := s.Client()
	if c == nil {
		return false, errNoConnection
	}
	// The workflow completed, yet the ledger says that there is work left (it was
	// restored from a copy, say): the ledger decides. Each further run has an id
	// of its own, so that a completed one is never taken for it.
	id := s.id(b)
	for n := 2; ; n++ {
		err := s.start(ctx, b, id)
		if err == nil {
			return true, nil
		}
		if !isAlreadyStarted(err) {
			return false, err
		}
		got, err := c.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			return false, fmt.Errorf("look at workflow %s: %w", id, err)
		}
		if got.WorkflowExecutionInfo.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return false, nil
		}
		id = fmt.Sprintf("%s~%d", s.id(b), n)
	}
}

// WorkflowID names the batch's workflow after what is in it. It is derived from
// the events' ids, so the same batch always has the same.
func WorkflowID(b ledger.Batch) string {
	if len(b.Events) == 0 {
		return fmt.Sprintf("redrive:%d", b.ID)
	}
	first := b.Events[0]
	if len(b.Events) == 1 {
		parts := []string{first.Source, cmp.Or(first.Model, string(first.Kind))}
		if first.CompanyID != "" {
			parts = append(parts, first.CompanyID)
		}
		return strings.Join(append(parts, first.ID), ":")
	}
	h := sha256.New()
	for _, e := range b.Events {
		fmt.Fprintf(h, "%s\x00%s\x00", e.Source, e.ID)
	}
	return fmt.Sprintf("%s:%d-events:%s:%s", first.Source, len(b.Events), first.ID, hex.EncodeToString(h.Sum(nil)[:6]))
}

func attributes(b ledger.Batch, maxBytes int) temporal.SearchAttributes {
	if len(b.Events) == 0 {
		return temporal.NewSearchAttributes(workflows.AttributeSource.ValueSet("redrive"))
	}
	sources := distinct(b.Events, func(e ledger.EventRef) string { return e.Source })
	models := distinct(b.Events, func(e ledger.EventRef) string { return cmp.Or(e.Model, string(e.Kind)) })
	companies := distinct(b.Events, func(e ledger.EventRef) string { return e.CompanyID })
	operations := distinct(b.Events, func(e ledger.EventRef) string { return string(e.Operation) })
	ids := distinct(b.Events, func(e ledger.EventRef) string { return e.ID })
	return temporal.NewSearchAttributes(
		workflows.AttributeSource.ValueSet(strings.Join(sources, "+")),
		workflows.AttributeModels.ValueSet(fit(models, maxBytes)),
		workflows.AttributeCompanies.ValueSet(fit(companies, maxBytes)),
		workflows.AttributeOperations.ValueSet(strings.Join(operations, "+")),
		workflows.AttributeEvents.ValueSet(fit(ids, maxBytes)),
	)
}

func distinct(events []ledger.EventRef, of func(ledger.EventRef) string) []string {
	var out []string
	seen := make(map[string]bool)
	for _, e := range events {
		if v := of(e); v != "" && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// fit keeps the first values that are within the limit once they are a JSON list.
func fit(values []string, maxBytes int) []string {
	size := 2
	for i, v := range values {
		if size += len(v) + 3; size > maxBytes {
			return values[:i]
		}
	}
	return values
}

// summary is the line that the UI shows for the workflow.
func summary(b ledger.Batch) string {
	switch len(b.Events) {
	case 0:
		return "deliveries driven again"
	case 1:
		e := b.Events[0]
		if e.Kind == event.KindDataModelChanges {
			return strings.TrimSpace(fmt.Sprintf("%s %s, company %s", e.Operation, e.Model, e.CompanyID))
		}
		return fmt.Sprintf("%s, company %s", e.Kind, e.CompanyID)
	default:
		return strconv.Itoa(len(b.Events)) + " events: " + strings.Join(distinct(b.Events, func(e ledger.EventRef) string { return cmp.Or(e.Model, string(e.Kind)) }), ", ")
	}
}
