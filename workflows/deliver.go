package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
)

// DeliverEventsName is the type of the workflow. Stored; never rename.
const DeliverEventsName = "DeliverEvents"

// DeliverInput names what one workflow drives. Stored; only add fields.
type DeliverInput struct {
	Batch  int64 `json:"batch"`  // of the ledger
	Events int   `json:"events"` // in it; 0 when deliveries are driven again
}

// The outcomes of a workflow. Stored; never rename.
const (
	OutcomeDelivered = "delivered"    // everything wanted is at its destination
	OutcomeDead      = "dead_letters" // something was given up
	OutcomeNothing   = "nothing"      // no route wanted it, or nothing had changed
)

// DeliverResult is what became of the events. Stored; only add fields.
type DeliverResult struct {
	Outcome      string              `json:"outcome"`
	Changed      int                 `json:"changed"`
	Unchanged    int                 `json:"unchanged"`
	Destinations []DestinationResult `json:"destinations,omitempty"`
}

// DestinationResult counts deliveries of this batch to one destination.
type DestinationResult struct {
	Destination string `json:"destination"`
	Delivered   int    `json:"delivered"`
	Dead        int    `json:"dead"`
}

// DeliverEvents merges a batch of events into their records and brings what
// changed to each destination that the routes chose. Destinations do not wait
// for one another. A destination that is paused or fails keeps only its own
// activity open.
func DeliverEvents(ctx workflow.Context, in DeliverInput) (DeliverResult, error) {
	details := newTable(ctx)

	var a *activities.Activities // nil: it only names the methods
	var applied activities.ApplyResult
	err := workflow.ExecuteLocalActivity(
		workflow.WithLocalActivityOptions(ctx, applyOptions),
		a.Apply, activities.ApplyInput{Batch: in.Batch},
	).Get(ctx, &applied)
	if err != nil {
		return DeliverResult{}, fmt.Errorf("apply batch %d: %w", in.Batch, err)
	}

	result := DeliverResult{Changed: applied.Changed, Unchanged: applied.Unchanged}
	for _, d := range applied.Destinations {
		result.Destinations = append(result.Destinations, DestinationResult{Destination: d.Name})
		details.add(d)
	}
	details.show()

	var failures []error
	all := workflow.NewWaitGroup(ctx)
	for i, d := range applied.Destinations {
		all.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer all.Done()
			var got activities.DeliverResult
			err := workflow.ExecuteActivity(
				workflow.WithActivityOptions(ctx, deliverOptions(d)),
				a.Deliver, activities.DeliverInput{Batch: in.Batch, Destination: d.Name},
			).Get(ctx, &got)
			if err != nil {
				failures = append(failures, fmt.Errorf("deliver to %s: %w", d.Name, err))
				return
			}
			result.Destinations[i].Delivered = max(0, d.Waiting-got.Dead)
			result.Destinations[i].Dead = got.Dead
			details.settle(i, result.Destinations[i])
		})
	}
	all.Wait(ctx)
	if len(failures) > 0 {
		return DeliverResult{}, errors.Join(failures...)
	}

	result.Outcome = outcome(result.Destinations)
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttributeOutcome.ValueSet(result.Outcome)); err != nil {
		return DeliverResult{}, fmt.Errorf("record outcome: %w", err)
	}
	return result, nil
}

func outcome(destinations []DestinationResult) string {
	if len(destinations) == 0 {
		return OutcomeNothing
	}
	for _, d := range destinations {
		if d.Dead > 0 {
			return OutcomeDead
		}
	}
	return OutcomeDelivered
}

// applyOptions: the merge touches only the ledger. While that is away there is
// nothing better to do than to try again.
var applyOptions = workflow.LocalActivityOptions{
	StartToCloseTimeout: 5 * time.Minute,
	RetryPolicy: &temporal.RetryPolicy{
		InitialInterval:    200 * time.Millisecond,
		BackoffCoefficient: 2,
		MaximumInterval:    10 * time.Second,
		MaximumAttempts:    math.MaxInt32,
	},
	Summary: "merge into records, choose destinations",
}

// deliverOptions sets no ScheduleToCloseTimeout on purpose: how long to keep
// trying is decided per record in the ledger, where pauses do not count.
func deliverOptions(d activities.DestinationPlan) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           cmp.Or(d.TaskQueue, activities.TaskQueue("", d.Name)), // histories before it was in the plan
		StartToCloseTimeout: activities.DeliverTimeout(d.Timeout),
		// The activity beats on a ticker: a worker that was killed is noticed
		// within this time, whatever the destination's timeout.
		HeartbeatTimeout: 15 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    d.InitialInterval,
			BackoffCoefficient: d.Coefficient,
			MaximumInterval:    d.MaxInterval,
			MaximumAttempts:    math.MaxInt32, // the ledger gives up, per record
		},
		Summary: summary(d),
	}
}

// summary is what the Temporal UI shows beside the activity, as long as it takes.
func summary(d activities.DestinationPlan) string {
	text := fmt.Sprintf("%d to %s", d.Waiting, d.Name)
	if d.Paused != "" {
		text += ", which is paused: " + d.Paused
	}
	return text
}

// table is what the Temporal UI shows as the workflow's current details.
type table struct {
	ctx  workflow.Context
	rows []row
}

type row struct {
	destination              string
	delivered, waiting, dead int
	paused                   string // when the batch was applied
}

func newTable(ctx workflow.Context) *table { return &table{ctx: ctx} }

func (t *table) add(d activities.DestinationPlan) {
	t.rows = append(t.rows, row{destination: d.Name, waiting: d.Waiting, paused: d.Paused})
}

func (t *table) settle(i int, d DestinationResult) {
	t.rows[i].delivered, t.rows[i].waiting, t.rows[i].dead = d.Delivered, 0, d.Dead
	t.rows[i].paused = ""
	t.show()
}

func (t *table) show() {
	if len(t.rows) == 0 {
		workflow.SetCurrentDetails(t.ctx, "Nothing to deliver: no route wants these events, or nothing had changed.")
		return
	}
	var b strings.Builder
	b.WriteString("| destination | delivered | waiting | dead |\n| --- | ---: | ---: | ---: |\n")
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", r.destination, r.delivered, r.waiting, r.dead)
	}
	for _, r := range t.rows {
		if r.paused != "" {
			fmt.Fprintf(&b, "\n%s is paused: %s. What waits for it is kept; `sluice destinations list` says why.\n", r.destination, r.paused)
		}
	}
	workflow.SetCurrentDetails(t.ctx, b.String())
}
