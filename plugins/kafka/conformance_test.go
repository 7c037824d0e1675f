package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
	"github.com/sluicehq/sluice/plugins/kafka/kafkatest"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// harness consumes the topics as the README tells consumers to.
type harness struct {
	cluster *kfake.Cluster
	outage  *kfake.FaultHandle
	healed  chan struct{} // not nil while the brokers hang
	soft    bool
	binary  string // "": in process
}

const password = "correct-horse-battery"

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "the fake cluster of the client library")
	binary := hosttest.Build(t, ".", "kafka")
	for name, h := range map[string]*harness{
		"tombstones":              {},
		"tombstones as a process": {binary: binary},
		"soft deletes":            {soft: true},
	} {
		t.Run(name, func(t *testing.T) {
			h.cluster = newCluster(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "sluice", password),
				kfake.BrokerConfigs(map[string]string{"message.max.bytes": "4000000"}))
			sayWhyLoginsFail(h.cluster)
			report.Run(t, h)
		})
	}
}

// sayWhyLoginsFail makes the cluster answer a wrong password as brokers do. By
// itself the fake only closes the connection.
func sayWhyLoginsFail(c *kfake.Cluster) {
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		r := req.(*kmsg.SASLAuthenticateRequest)
		if bytes.HasSuffix(r.SASLAuthBytes, []byte("\x00"+password)) {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		return resp, nil, true
	})
}

func (h *harness) New(t *testing.T) destination.Destination {
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

func (h *harness) Settings(t *testing.T) json.RawMessage {
	s := map[string]any{
		"brokers": h.cluster.ListenAddrs(), "topic": prefix(t) + "{object}", "create_topics": true, "delete": "hard",
		"sasl": "plain", "username": "sluice", "password": password, "timeout": "10s", "max_message_bytes": 3_000_000,
	}
	if h.soft {
		s["delete"] = "soft"
	}
	return encodeSettings(t, s)
}

func encodeSettings(t *testing.T, s map[string]any) json.RawMessage {
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (h *harness) Lacks() map[string]string { return nil }

// WrongCredentials implements [destinationtest.WrongCredentials].
func (h *harness) WrongCredentials(t *testing.T, raw json.RawMessage) json.RawMessage {
	var s map[string]any
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	s["password"] = "wrong"
	return encodeSettings(t, s)
}

// Fault implements [destinationtest.Faults]. Brokers that throttle delay their
// answers and take the messages all the same; TestThrottle has that.
func (h *harness) Fault(t *testing.T, _ json.RawMessage, f conformance.Fault) bool {
	if h.outage != nil {
		h.outage.Remove()
		h.outage = nil
	}
	if h.healed != nil {
		close(h.healed)
		h.healed = nil
	}
	switch f.Kind {
	case conformance.FaultNone:
		return true
	case conformance.FaultOutage:
		h.outage = h.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.UnknownServerError, Count: -1})
		return true
	case conformance.FaultHang:
		healed := make(chan struct{})
		h.healed = healed
		h.cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			h.cluster.KeepControl()
			h.cluster.SleepControl(func() {
				select {
				case <-healed:
				case <-t.Context().Done():
				}
			})
			return nil, nil, false
		})
		return true
	default:
		return false
	}
}

func (h *harness) Rows(t *testing.T, settings json.RawMessage, object string) []map[string]string {
	var s struct{ Topic string }
	if err := json.Unmarshal(settings, &s); err != nil {
		t.Fatal(err)
	}
	topic := s.Topic[:len(s.Topic)-len("{object}")] + object
	rows, err := kafkatest.Rows(t.Context(), topic, kgo.SeedBrokers(h.cluster.ListenAddrs()...),
		kgo.SASL(plain.Auth{User: "sluice", Pass: password}.AsMechanism()))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
