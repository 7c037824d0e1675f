package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// harness consumes the topics as the README tells consumers to.
type harness struct {
	cluster *kfake.Cluster
	soft    bool
	binary  string // "": in process
}

const password = "correct-horse-battery"

func TestConformance(t *testing.T) {
	cluster := newCluster(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "sluice", password),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": "4000000"}))
	binary := hosttest.Build(t, ".", "kafka")
	for name, h := range map[string]harness{
		"tombstones":               {},
		"tombstones, as a process": {binary: binary},
		"soft deletes":             {soft: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time is waiting for topics
			h.cluster = cluster
			destinationtest.Run(t, h)
		})
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return newKafka()
}

// prefix keeps the topics of tests apart.
func prefix(t *testing.T) string {
	sum := sha256.Sum256([]byte(t.Name()))
	return hex.EncodeToString(sum[:8]) + "."
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	s := map[string]any{
		"brokers": h.cluster.ListenAddrs(), "topic": prefix(t) + "{object}", "create_topics": true, "delete": "hard",
		"sasl": "scram-sha-256", "username": "sluice", "password": password, "timeout": "10s", "max_message_bytes": 3_000_000,
	}
	if h.soft {
		s["delete"] = "soft"
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (h harness) Lacks() map[string]string { return nil }

func (h harness) Rows(t *testing.T, settings json.RawMessage, object string) []map[string]string {
	var s struct{ Topic string }
	if err := json.Unmarshal(settings, &s); err != nil {
		t.Fatal(err)
	}
	topic := s.Topic[:len(s.Topic)-len("{object}")] + object
	login := kgo.SASL(scram.Auth{User: "sluice", Pass: password}.AsSha256Mechanism())
	newest := map[string]int64{}
	records, appended := map[string]map[string]string{}, map[string]map[string]string{}
	for _, m := range consume(t, h.cluster.ListenAddrs(), topic, login) {
		row := members(t, m.Key)
		if m.Value != nil {
			maps.Copy(row, members(t, m.Value))
		}
		if header(m, headerOperation) == string(destination.Append) {
			appended[header(m, headerIdempotencyKey)] = row
			continue
		}
		v, err := strconv.ParseInt(header(m, headerVersion), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if old, ok := newest[string(m.Key)]; ok && old >= v {
			continue
		}
		newest[string(m.Key)] = v
		records[string(m.Key)] = row
		if m.Value == nil {
			delete(records, string(m.Key))
		}
	}
	return append(slices.Collect(maps.Values(records)), slices.Collect(maps.Values(appended))...)
}

// members gives the members of an object as text and leaves out null.
func members(t *testing.T, object []byte) map[string]string {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(object, &raw); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, value := range raw {
		var text string
		switch {
		case string(value) == "null":
			continue
		case json.Unmarshal(value, &text) != nil:
			text = string(value)
		}
		out[name] = text
	}
	return out
}
