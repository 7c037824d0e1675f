package main

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/conformance/httpfault"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// receiver is an endpoint that does with the messages what the README tells
// receivers to do: check the signature, drop ids that it has seen, and keep the
// message with the largest version of each record. Every path is a place.
type receiver struct {
	*httptest.Server
	faults *httpfault.Handler
	verify *standardwebhooks.Webhook

	mu     sync.Mutex
	places map[string]*place
}

type place struct {
	seen     map[string]bool
	records  map[string]message
	appended []message
}

func newReceiver(t *testing.T) *receiver {
	verify, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{verify: verify, places: map[string]*place{}}
	r.faults = httpfault.New(r, nil)
	r.Server = httptest.NewServer(r.faults)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the client went away
	}
	if err := r.verify.Verify(body, req.Header); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	messages := []message{{}}
	if strings.HasPrefix(string(body), "[") {
		err = json.Unmarshal(body, &messages)
	} else {
		err = json.Unmarshal(body, &messages[0])
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.places[req.URL.Path]
	if p == nil {
		p = &place{seen: map[string]bool{}, records: map[string]message{}}
		r.places[req.URL.Path] = p
	}
	for _, m := range messages {
		p.take(m)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (p *place) take(m message) {
	if p.seen[m.Object+m.ID] {
		return
	}
	p.seen[m.Object+m.ID] = true
	if m.Operation == destination.Append {
		p.appended = append(p.appended, m)
		return
	}
	id := m.Object + string(slices.Concat([]byte(m.Key["_company_id"]), []byte(m.Key["_integration_type"]), []byte(m.Key["_platform_id"])))
	if old, ok := p.records[id]; !ok || old.Version < m.Version {
		p.records[id] = m
	}
}

type harness struct {
	receiver *receiver
	batch    bool
	binary   string // "": in process
}

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "a receiver of signed requests")
	binary := hosttest.Build(t, ".", "webhook")
	for name, h := range map[string]harness{
		"requests":               {},
		"requests, as a process": {binary: binary},
		"batches":                {batch: true},
		"batches, as a process":  {batch: true, binary: binary},
	} {
		t.Run(name, func(t *testing.T) {
			h.receiver = newReceiver(t)
			report.Run(t, h)
		})
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return newWebhook()
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	raw, err := json.Marshal(map[string]any{
		"url": h.receiver.URL + "/" + t.Name(), "secret": secret, "batch": h.batch, "allow_networks": []string{"127.0.0.1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (h harness) Lacks() map[string]string {
	return map[string]string{"wrong_credentials": "an endpoint cannot be asked whether it knows the secret without a message"}
}

func (h harness) Fault(_ *testing.T, _ json.RawMessage, f conformance.Fault) bool {
	return h.receiver.faults.Fault(f)
}

func (h harness) Rows(t *testing.T, settings json.RawMessage, object string) []map[string]string {
	o, err := parseSettings(settings)
	if err != nil {
		t.Fatal(err)
	}
	h.receiver.mu.Lock()
	defer h.receiver.mu.Unlock()
	p := h.receiver.places[o.url.Path]
	if p == nil {
		return nil
	}
	var out []map[string]string
	for _, m := range append(slices.Collect(maps.Values(p.records)), p.appended...) {
		if m.Object != object || m.Operation == destination.Delete {
			continue
		}
		row := maps.Clone(m.Key)
		for name, value := range m.Fields {
			var text string
			switch {
			case string(value) == "null":
				continue
			case json.Unmarshal(value, &text) != nil:
				text = string(value)
			}
			row[name] = text
		}
		out = append(out, row)
	}
	return out
}
