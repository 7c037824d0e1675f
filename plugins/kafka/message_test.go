package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func encode(t *testing.T, settings string, b destination.Batch) *kgo.Record {
	t.Helper()
	o, err := parseSettings([]byte(settings))
	if err != nil {
		t.Fatal(err)
	}
	d := newKafka()
	d.options = o
	m, err := d.newMessage(&b, &b.Records[0])
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The form of a message is public: consumers and compaction go by it.
func TestMessage(t *testing.T) {
	const settings = `{"brokers":["b:9092"],"topic":"acc.{object}"}`
	m := encode(t, settings, batch(upsert(`a"<ü`, 7, `{"total":10.10,"memo":"<b>","none":null}`)))
	var got strings.Builder
	got.WriteString(m.Topic + "\n" + string(m.Key) + "\n" + string(m.Value) + "\n")
	for _, h := range m.Headers {
		got.WriteString(h.Key + "=" + string(h.Value) + "\n")
	}
	want := `acc.invoices
{"_company_id":"4711","_integration_type":"XERO","_platform_id":"a\"<ü"}
{"memo":"<b>","none":null,"total":10.10}
sluice-version=7
sluice-operation=upsert
sluice-idempotency-key=a"<ü@7
sluice-object=invoices
sluice-source=rootfi
sluice-company-id=4711
sluice-integration=XERO
sluice-model=INVOICES
sluice-occurred-at=2026-03-01T23:30:00Z
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if m := encode(t, settings, batch(remove("a", 8))); m.Value != nil || header(m, headerOperation) != "delete" {
		t.Errorf("a delete has the value %s", m.Value)
	}
	soft := encode(t, `{"brokers":["b:9092"],"delete":"soft"}`, batch(remove("a", 8)))
	if string(soft.Value) != `{"memo":"last","_deleted_at":"2026-03-01T23:30:00Z"}` {
		t.Errorf("a soft delete has the value %s", soft.Value)
	}
	shared := encode(t, `{"brokers":["b:9092"],"topic":"all"}`, batch(upsert("a", 1, `{}`)))
	if string(shared.Key) != `{"_object":"invoices","_company_id":"4711","_integration_type":"XERO","_platform_id":"a"}` {
		t.Errorf("the key in a shared topic is %s", shared.Key)
	}
}

func TestTopicOfAValueThatDoesNotFit(t *testing.T) {
	d := open(t, newCluster(t), map[string]any{"topic": "c.{company_id}.{object}"})
	bad := upsert("a", 1, `{}`)
	bad.Origin.CompanyID = "4711/x"
	got := write(t, d, batch(bad, upsert("b", 1, `{}`)))
	wantResult(t, got[0], destination.Rejected, "INVALID_RECORD")
	wantResult(t, got[1], destination.Delivered, "")
}

func TestCreatedTopics(t *testing.T) {
	c := newCluster(t)
	d := open(t, c, map[string]any{"partitions": 5, "replication_factor": 2})
	deliver(t, d, upsert("a", 1, `{}`))
	b := batch(change("a", 2, `{}`))
	b.Object = "invoice_changes"
	if got := write(t, d, b); got[0].Kind != destination.Delivered {
		t.Fatalf("%+v", got[0])
	}
	admin := kadm.NewClient(d.client)
	topics, err := admin.ListTopics(t.Context(), "invoices")
	if err != nil || len(topics["invoices"].Partitions) != 5 {
		t.Errorf("%+v, %v", topics, err)
	}
	configs, err := admin.DescribeTopicConfigs(t.Context(), "invoices", "invoice_changes")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range configs {
		want := map[string]string{"invoices": "compact", "invoice_changes": "delete"}[c.Name]
		for _, entry := range c.Configs {
			if entry.Key == "cleanup.policy" && entry.MaybeValue() != want {
				t.Errorf("%s: cleanup.policy is %s, want %s", c.Name, entry.MaybeValue(), want)
			}
		}
	}
}

func TestDryRun(t *testing.T) {
	d := open(t, newCluster(t), nil)
	got, err := d.DryRun(t.Context(), batch(upsert("a", 1, `{"memo":"m"}`), remove("b", 2)))
	if err != nil || len(got) != 2 || !strings.HasSuffix(got[0], `"a"}: {"memo":"m"}`) || !strings.HasSuffix(got[1], `"b"}: tombstone`) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct{ settings, problem string }{
		"least": {`{"brokers":["b:9092"]}`, ""},
		"all": {`{"brokers":["b:9092","[::1]:9092"],"topic":"x.{object}-{company_id}","delete":"soft","sasl":"plain","username":"u","password":"p",` +
			`"tls":true,"compression":"zstd","max_message_bytes":5000,"timeout":"3s","create_topics":true,"partitions":3,"replication_factor":2,"cleanup_policy":"compact,delete"}`, ""},
		"no brokers":          {`{}`, "brokers"},
		"empty brokers":       {`{"brokers":[]}`, "brokers"},
		"url":                 {`{"brokers":["kafka://SECRET@x:1"]}`, "host:port"},
		"unknown":             {`{"brokers":["b:1"],"topics":"x"}`, "topics"},
		"unknown placeholder": {`{"brokers":["b:1"],"topic":"{table}"}`, "{table}"},
		"bad topic":           {`{"brokers":["b:1"],"topic":"a b"}`, "topic"},
		"delete":              {`{"brokers":["b:1"],"delete":"never"}`, "delete"},
		"sasl":                {`{"brokers":["b:1"],"sasl":"gssapi","username":"u","password":"SECRET"}`, "sasl"},
		"no password":         {`{"brokers":["b:1"],"sasl":"plain","username":"u"}`, "password"},
		"password alone":      {`{"brokers":["b:1"],"username":"u","password":"SECRET"}`, "sasl"},
		"ca":                  {`{"brokers":["b:1"],"tls_ca":"ca.pem"}`, "tls_ca"},
		"key":                 {`{"brokers":["b:1"],"tls_cert":"x","tls_key":"SECRET"}`, "tls_key"},
		"compression":         {`{"brokers":["b:1"],"compression":"br"}`, "compression"},
		"size":                {`{"brokers":["b:1"],"max_message_bytes":1}`, "max_message_bytes"},
		"timeout":             {`{"brokers":["b:1"],"timeout":"1ms"}`, "timeout"},
		"partitions":          {`{"brokers":["b:1"],"partitions":-1}`, "partitions"},
		"cleanup":             {`{"brokers":["b:1"],"cleanup_policy":"keep"}`, "cleanup_policy"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseSettings([]byte(tt.settings))
			if (err == nil) != (tt.problem == "") || err != nil && (!strings.Contains(err.Error(), tt.problem) || strings.Contains(err.Error(), "SECRET")) {
				t.Errorf("error %v, want one about %q", err, tt.problem)
			}
		})
	}
	d, err := newKafka().Describe(t.Context())
	if err != nil || d.Name != "kafka" || !json.Valid(d.ConfigSchema) {
		t.Errorf("%+v, %v", d, err)
	}
}

// FuzzTopic: whatever template is accepted, a topic that comes of it is one that
// Kafka takes, or the record is refused.
func FuzzTopic(f *testing.F) {
	f.Add("acc.{object}", "invoices", "4711")
	f.Add("{company_id}", "", "..")
	f.Add("{object}{", "a b", "ü")
	f.Fuzz(func(t *testing.T, template, object, company string) {
		parsed, err := parseTopic(template)
		if err != nil {
			return
		}
		r := destination.Record{Origin: destination.Origin{CompanyID: company}}
		if name, err := topicOf(parsed, object, &r); err == nil && (!isTopic(name) || strings.ContainsAny(name, "{}/ ")) {
			t.Errorf("%q makes %q", template, name)
		}
	})
}
