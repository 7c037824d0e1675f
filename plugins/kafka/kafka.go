package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/semaphore"
)

const version = "0.1.0"

// linger is how long a message may wait for others to share a request with.
const linger = 2 * time.Millisecond

// metadataPause is the shortest time between two looks at who leads what. The
// client's default of 5 s would hold a write up for that long when a leader moves.
const metadataPause = 250 * time.Millisecond

// overhead is what a batch adds to a message, with room to spare.
const overhead = 1024

// kafka is the destination.
type kafka struct {
	options options
	client  *kgo.Client
	order   *order
	brakes  *brakes
	// gate is held by one for each Write, and whole by one that produces alone.
	gate *semaphore.Weighted

	topicsMu sync.Mutex
	topics   map[string]struct{} // written to, and there as far as we know
}

var (
	_ destination.Destination = (*kafka)(nil)
	_ destination.Checker     = (*kafka)(nil)
	_ destination.DryRunner   = (*kafka)(nil)
)

// everybody is the weight of all writes together.
const everybody = 1 << 20

func newKafka() *kafka {
	return &kafka{
		order: newOrder(keepAcked), brakes: &brakes{}, gate: semaphore.NewWeighted(everybody), topics: map[string]struct{}{},
	}
}

// Describe implements [destination.Destination].
func (d *kafka) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name:         "kafka",
		Version:      version,
		ConfigSchema: serve.Schema[settings](),
		Capabilities: []destination.Capability{
			destination.CapabilityCheck, destination.CapabilityDryRun,
			destination.CapabilityRecords, destination.CapabilityChanges, destination.CapabilityEvents,
		},
		MaxBatchRecords: 5000,
	}, nil
}

// Configure implements [destination.Destination]. It does not connect.
func (d *kafka) Configure(_ context.Context, raw json.RawMessage) error {
	o, err := parseSettings(raw)
	if err != nil {
		return err
	}
	d.options = o
	d.client, err = kgo.NewClient(append(o.client,
		kgo.ClientID("sluice"),
		kgo.RequiredAcks(kgo.AllISRAcks()), // and idempotent, which is the client's default
		kgo.ProducerLinger(linger),
		kgo.MetadataMinAge(metadataPause),
		kgo.ProducerBatchMaxBytes(int32(o.max+overhead)),
		kgo.MaxBufferedBytes(max(64<<20, 2*o.max)),
		kgo.RecordDeliveryTimeout(o.timeout),
		kgo.RetryTimeout(o.timeout),
		kgo.WithHooks(d.brakes),
	)...)
	return err
}

// Close gives messages that are still on their way a moment, so that fewer come
// twice.
func (d *kafka) Close() error {
	if d.client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = d.client.Flush(ctx)
	d.client.Close()
	return nil
}

// Check implements [destination.Checker]: a broker answers, and the user may
// write to the topics that were used.
func (d *kafka) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.options.timeout)
	defer cancel()
	if err := d.client.Ping(ctx); err != nil {
		return failureOf(fmt.Errorf("no broker could be used: %w", err))
	}
	d.topicsMu.Lock()
	topics := slices.Sorted(maps.Keys(d.topics))
	d.topicsMu.Unlock()
	if err := mayWrite(ctx, d.client, topics); err != nil {
		return failureOf(err)
	}
	return nil
}

// DryRun implements [destination.DryRunner].
func (d *kafka) DryRun(_ context.Context, b destination.Batch) ([]string, error) {
	var out []string
	for _, it := range d.items(&b, make([]destination.Result, len(b.Records))) {
		value := "tombstone"
		if it.message.Value != nil {
			value = string(it.message.Value)
		}
		out = append(out, fmt.Sprintf("%s %s: %s", it.message.Topic, it.message.Key, value))
	}
	return out, nil
}

// brakes notes how long brokers ask to wait. The client waits by itself too;
// knowing it lets the host pause instead of holding writes open.
type brakes struct {
	mu    sync.Mutex
	until time.Time
}

var _ kgo.HookBrokerThrottle = (*brakes)(nil)

// OnBrokerThrottle implements [kgo.HookBrokerThrottle].
func (t *brakes) OnBrokerThrottle(_ kgo.BrokerMetadata, wait time.Duration, _ bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if until := time.Now().Add(wait); until.After(t.until) {
		t.until = until
	}
}

// shortest is the shortest wait that is worth a pause of the destination.
const shortest = time.Second

// asked returns until when to wait; zero is now.
func (t *brakes) asked() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Until(t.until) < shortest {
		return time.Time{}
	}
	return t.until
}
