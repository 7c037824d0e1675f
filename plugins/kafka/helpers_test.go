package main

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/kafka/kafkatest"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

var keyFields = []string{"_company_id", "_integration_type", "_platform_id"}

// newCluster starts a cluster in this process.
func newCluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.DefaultNumPartitions(3)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// open configures a destination for the cluster and closes it when the test ends.
func open(t *testing.T, c *kfake.Cluster, more map[string]any) *kafka {
	t.Helper()
	s := map[string]any{"brokers": c.ListenAddrs(), "create_topics": true, "timeout": "5s"}
	for name, value := range more {
		s[name] = value
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	d := newKafka()
	if err := d.Configure(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func upsert(id string, version int64, fields string) destination.Record {
	r := destination.Record{
		Key: []string{"4711", "XERO", id}, Operation: destination.Upsert, Version: version,
		IdempotencyKey: id + "@" + strconv.FormatInt(version, 10), OccurredAt: time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC),
		Origin: destination.Origin{Source: "rootfi", CompanyID: "4711", Integration: "XERO", Model: "INVOICES", PlatformID: id},
	}
	if err := json.Unmarshal([]byte(fields), &r.Fields); err != nil {
		panic(err)
	}
	return r
}

func remove(id string, version int64) destination.Record {
	r := upsert(id, version, `{"memo":"last"}`)
	r.Operation = destination.Delete
	return r
}

func change(id string, seq int64, fields string) destination.Record {
	r := upsert(id, seq, fields)
	r.Operation, r.Origin.EventID, r.Origin.EventKind, r.Origin.Operation = destination.Append, "evt_"+strconv.FormatInt(seq, 10), "data_model_changes", "UPDATE"
	return r
}

func batch(rs ...destination.Record) destination.Batch {
	b := destination.Batch{Mode: destination.ModeRecords, Object: "invoices", KeyFields: keyFields, Records: rs}
	if len(rs) > 0 && rs[0].Operation == destination.Append {
		b.Mode = destination.ModeChanges
	}
	return b
}

func write(t *testing.T, d *kafka, b destination.Batch) []destination.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	results, err := d.Write(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func deliver(t *testing.T, d *kafka, rs ...destination.Record) {
	t.Helper()
	for i, r := range write(t, d, batch(rs...)) {
		if r.Kind != destination.Delivered {
			t.Fatalf("record %d: %v %s %s", i, r.Kind, r.Code, r.Message)
		}
	}
}

// consume reads all messages of a topic.
func consume(t *testing.T, brokers []string, topic string) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	list, err := kafkatest.Consume(ctx, topic, kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func header(m *kgo.Record, name string) string { return kafkatest.Header(m, name) }
