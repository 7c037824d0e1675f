package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func wantResult(t *testing.T, got destination.Result, kind destination.ResultKind, code string) {
	t.Helper()
	if got.Kind != kind || got.Code != code {
		t.Errorf("%v %s %q, want %v %s", got.Kind, got.Code, got.Message, kind, code)
	}
}

// Errors of brokers that pass are repeated by the client: no attempt is lost.
func TestPassingErrors(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.LeaderNotAvailable} {
		t.Run(e.Message, func(t *testing.T) {
			c := newCluster(t)
			d := open(t, c, nil)
			deliver(t, d, upsert("a", 1, `{"memo":"m"}`))
			fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: e})
			deliver(t, d, upsert("a", 2, `{"memo":"m"}`))
			if fault.Hits() != 1 {
				t.Errorf("the fault was hit %d times", fault.Hits())
			}
			if n := len(consume(t, c.ListenAddrs(), "invoices")); n != 2 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

// A leader that moves is found again.
func TestLeaderMoves(t *testing.T) {
	c := newCluster(t)
	d := open(t, c, nil)
	for v := range int64(5) {
		deliver(t, d, upsert("a", v+1, `{}`), upsert("b", v+1, `{}`), upsert("c", v+1, `{}`))
		c.ShufflePartitionLeaders()
	}
	if n := len(consume(t, c.ListenAddrs(), "invoices")); n != 15 {
		t.Errorf("%d messages", n)
	}
}

// A lost answer: the brokers have the message, the client does not know it. It
// repeats with the same sequence number, and the broker drops the repetition.
func TestLostAnswerMakesNoDuplicate(t *testing.T) {
	c := newCluster(t)
	d := open(t, c, nil)
	deliver(t, d, upsert("a", 1, `{}`))
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut})
	deliver(t, d, upsert("a", 2, `{}`))
	if fault.Hits() != 1 {
		t.Errorf("the fault was hit %d times", fault.Hits())
	}
	if n := len(consume(t, c.ListenAddrs(), "invoices")); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

// A write whose caller gave up and that is repeated waits for the message that
// is still on its way, instead of sending another one.
func TestRepetitionJoinsTheMessageOnItsWay(t *testing.T) {
	c := newCluster(t)
	d := open(t, c, nil)
	deliver(t, d, upsert("a", 1, `{}`))
	held, release := make(chan struct{}), make(chan struct{})
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(held)
		c.SleepControl(func() { <-release })
		return nil, nil, false
	})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan []destination.Result, 1)
	go func() {
		results, err := d.Write(ctx, batch(upsert("a", 2, `{}`)))
		if err != nil {
			t.Error(err)
		}
		first <- results
	}()
	<-held
	cancel()
	wantResult(t, (<-first)[0], destination.Retry, "CANCELLED")
	second := make(chan []destination.Result, 1)
	go func() { second <- write(t, d, batch(upsert("a", 2, `{}`), upsert("a", 1, `{}`))) }()
	close(release)
	for _, r := range <-second {
		wantResult(t, r, destination.Delivered, "")
	}
	if n := len(consume(t, c.ListenAddrs(), "invoices")); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

func TestTooLargeForTheTopic(t *testing.T) {
	c := newCluster(t, kfake.DefaultNumPartitions(1), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "3000"}))
	d := open(t, c, map[string]any{"compression": "none"})
	var rs []destination.Record
	for i := range 40 {
		size := 500
		if i == 13 {
			size = 5000
		}
		rs = append(rs, upsert(fmt.Sprint("r", i), 1, `{"memo":"`+strings.Repeat("x", size)+`"}`))
	}
	for i, r := range write(t, d, batch(rs...)) {
		if i == 13 {
			wantResult(t, r, destination.Rejected, "MESSAGE_TOO_LARGE")
			if strings.Contains(r.Message, "xxx") {
				t.Error("the message quotes the record")
			}
			continue
		}
		wantResult(t, r, destination.Delivered, "")
	}
	if n := len(consume(t, c.ListenAddrs(), "invoices")); n != 39 {
		t.Errorf("%d messages, want 39", n)
	}
}

func TestTooLargeForTheSettings(t *testing.T) {
	d := open(t, newCluster(t), map[string]any{"max_message_bytes": 2000})
	got := write(t, d, batch(upsert("a", 1, `{"memo":"`+strings.Repeat("x", 3000)+`"}`), upsert("b", 1, `{}`)))
	wantResult(t, got[0], destination.Rejected, "MESSAGE_TOO_LARGE")
	wantResult(t, got[1], destination.Delivered, "")
}

// refuse makes the cluster answer a login as brokers do: with a code. By itself
// the fake only closes the connection.
func refuse(c *kfake.Cluster) *kfake.FaultHandle {
	return c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.SASLAuthenticate}, TopLevel: true, Err: kerr.SaslAuthenticationFailed, Count: -1})
}

func TestWrongPassword(t *testing.T) {
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		for _, create := range []bool{true, false} { // the login fails at another request
			t.Run(fmt.Sprint(mechanism, create), func(t *testing.T) {
				c := newCluster(t, kfake.EnableSASL(), kfake.Superuser(strings.ToUpper(mechanism), "sluice", "right-password"), kfake.SeedTopics(1, "invoices"))
				fault := refuse(c)
				d := open(t, c, map[string]any{"sasl": mechanism, "username": "sluice", "password": "wrong-password", "create_topics": create})
				got := write(t, d, batch(upsert("a", 1, `{}`)))
				wantResult(t, got[0], destination.Misconfigured, "SASL_AUTHENTICATION_FAILED")
				err := d.Check(t.Context())
				f, ok := errors.AsType[*destination.Failure](err)
				if !ok || f.Kind != destination.Misconfigured || f.Code != "SASL_AUTHENTICATION_FAILED" {
					t.Errorf("check: %v", err)
				}
				if strings.Contains(fmt.Sprint(got[0].Message, err), "wrong-password") {
					t.Error("the password is in an error")
				}
				fault.Remove()
				d = open(t, c, map[string]any{"sasl": mechanism, "username": "sluice", "password": "right-password"})
				if err := d.Check(t.Context()); err != nil {
					t.Error(err)
				}
				deliver(t, d, upsert("a", 1, `{}`))
			})
		}
	}
}

// A broker that closes the connection instead of saying why is tried again.
func TestLoginWithoutAnAnswer(t *testing.T) {
	c := newCluster(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "sluice", "right-password"))
	d := open(t, c, map[string]any{"sasl": "plain", "username": "sluice", "password": "wrong-password", "timeout": "1s"})
	if got := write(t, d, batch(upsert("a", 1, `{}`)))[0]; got.Kind != destination.Retry {
		t.Errorf("%+v", got)
	}
	if err := d.Check(t.Context()); err == nil {
		t.Error("the check passes")
	}
}

func TestNoRightToWrite(t *testing.T) {
	reader := kfake.User("PLAIN", "reader", "password", kfake.ACL{
		Resource: kmsg.ACLResourceTypeTopic, Name: "invoices", Operation: kmsg.ACLOperationDescribe, Allow: true,
	})
	c := newCluster(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.SeedTopics(1, "invoices"), reader)
	d := open(t, c, map[string]any{"sasl": "plain", "username": "reader", "password": "password", "create_topics": false})
	got := write(t, d, batch(upsert("a", 1, `{}`)))
	if got[0].Kind != destination.Misconfigured || !strings.HasSuffix(got[0].Code, "_AUTHORIZATION_FAILED") {
		t.Errorf("%+v", got[0])
	}
	// The check sees it too, or the pause would end at once.
	f, ok := errors.AsType[*destination.Failure](d.Check(t.Context()))
	if !ok || f.Kind != destination.Misconfigured || f.Code != "TOPIC_AUTHORIZATION_FAILED" {
		t.Errorf("check: %v", f)
	}
}

func TestMissingTopic(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(1, "bills"))
	d := open(t, c, map[string]any{"create_topics": false})
	got := write(t, d, batch(upsert("a", 1, `{}`)))
	wantResult(t, got[0], destination.Retry, "UNKNOWN_TOPIC_OR_PARTITION")
	if !strings.Contains(got[0].Message, "create_topics") {
		t.Errorf("no word of what to do: %s", got[0].Message)
	}
	b := batch(upsert("a", 1, `{}`))
	b.Object = "bills"
	wantResult(t, write(t, d, b)[0], destination.Delivered, "")
}

func TestThrottle(t *testing.T) {
	c := newCluster(t, kfake.NumBrokers(1))
	d := open(t, c, nil)
	deliver(t, d, upsert("a", 1, `{}`))
	c.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := kmsg.NewPtrMetadataResponse()
		resp.Version = req.GetVersion()
		resp.ThrottleMillis = 60_000
		return resp, nil, true
	})
	_ = d.client.Ping(t.Context())
	got := write(t, d, batch(upsert("a", 2, `{}`)))
	wantResult(t, got[0], destination.Throttled, "THROTTLED")
	if wait := time.Until(got[0].Until); wait < 30*time.Second || wait > time.Minute {
		t.Errorf("wait %v", wait)
	}
}

func TestBrokersAreDown(t *testing.T) {
	c := newCluster(t)
	d := open(t, c, map[string]any{"timeout": "1s"})
	c.Close()
	got := write(t, d, batch(upsert("a", 1, `{}`), upsert("b", 1, `{}`)))
	for _, r := range got {
		if r.Kind != destination.Retry || r.Code != "NETWORK" && r.Code != "TIMEOUT" {
			t.Errorf("%+v", r)
		}
	}
	if err := d.Check(t.Context()); err == nil {
		t.Error("the check passes")
	}
}

// Within a process an older version never follows a newer one, whatever the
// host repeats.
func TestOlderVersionIsNotProduced(t *testing.T) {
	c := newCluster(t)
	d := open(t, c, nil)
	deliver(t, d, upsert("a", 5, `{}`))
	deliver(t, d, upsert("a", 4, `{}`), remove("a", 3), upsert("a", 5, `{}`), remove("a", 6), upsert("a", 5, `{}`))
	var got []string
	for _, m := range consume(t, c.ListenAddrs(), "invoices") {
		got = append(got, header(m, headerVersion))
	}
	if strings.Join(got, " ") != "5 6" {
		t.Errorf("versions %v, want 5 6", got)
	}
}

// All messages of a key are in one partition, so in order.
func TestOrderOfAKey(t *testing.T) {
	c := newCluster(t)
	d := open(t, c, nil)
	for v := range int64(20) {
		var rs []destination.Record
		for id := range 10 {
			rs = append(rs, change(fmt.Sprint("r", id), v*10+int64(id), `{}`))
		}
		deliver(t, d, rs...)
	}
	last, partition := map[string]int64{}, map[string]int32{}
	for _, m := range consume(t, c.ListenAddrs(), "invoices") {
		var v int64
		if _, err := fmt.Sscan(header(m, headerVersion), &v); err != nil {
			t.Fatal(err)
		}
		key := string(m.Key)
		if p, ok := partition[key]; ok && (p != m.Partition || last[key] >= v) {
			t.Errorf("%s: version %d in partition %d after %d in %d", key, v, m.Partition, last[key], p)
		}
		last[key], partition[key] = v, m.Partition
	}
	if len(last) != 10 {
		t.Errorf("%d keys", len(last))
	}
}
