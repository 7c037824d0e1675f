package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func TestRequest(t *testing.T) {
	e := newEndpoint(t, nil)
	other := "whsec_b3RoZXIgc2VjcmV0IG9mIHNpemU="
	d := open(t, map[string]any{"url": e.URL + "/hook?x=1", "secret": secret, "secrets": []string{other}, "headers": map[string]string{"authorization": "Bearer tok"}})
	r := upsert("INV_1", 3, `{"amount":1234567890.12345678901234567890,"memo":"<a&b>","gone":null}`)
	for range 2 {
		if got := write(t, d, batch(destination.ModeRecords, r)); got[0].Kind != destination.Delivered {
			t.Fatal(got[0])
		}
	}
	got := e.got()
	want := `{"type":"record.upserted","id":"INV_1@3","timestamp":"2026-03-01T23:30:00Z","object":"invoices",` +
		`"key":{"_company_id":"4711","_platform_id":"INV_1"},"version":3,"operation":"upsert",` +
		`"fields":{"amount":1234567890.12345678901234567890,"gone":null,"memo":"<a&b>"},"changed":["amount"],` +
		`"origin":{"source":"rootfi","company_id":"4711","model":"INVOICES","platform_id":"INV_1"}}`
	if got[0].body != want || got[1].body != want {
		t.Errorf("got  %s\nwant %s", got[0].body, want)
	}
	if got[0].header.Get("webhook-id") != "INV_1@3" || got[1].header.Get("webhook-id") != "INV_1@3" {
		t.Errorf("ids %v %v", got[0].header, got[1].header)
	}
	if got[0].header.Get("Authorization") != "Bearer tok" || got[0].header.Get("Content-Type") != "application/json" || got[0].header["Idempotency-Key"] != nil {
		t.Errorf("headers %v", got[0].header)
	}
	for _, s := range []string{secret, other} {
		w, err := standardwebhooks.NewWebhook(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify([]byte(got[0].body), got[0].header); err != nil {
			t.Errorf("signature: %v", err)
		}
	}
}

func TestTypesAndIDs(t *testing.T) {
	for name, tt := range map[string]struct {
		mode    destination.Mode
		change  func(*destination.Record)
		typ, id string
	}{
		"delete":         {destination.ModeRecords, func(r *destination.Record) { r.Operation = destination.Delete }, "record.deleted", "1@1"},
		"created":        {destination.ModeChanges, func(r *destination.Record) { r.Origin.Operation = "CREATE" }, "change.created", "1@1"},
		"removed":        {destination.ModeChanges, func(r *destination.Record) { r.Origin.Operation = "DELETE" }, "change.deleted", "1@1"},
		"other change":   {destination.ModeChanges, func(r *destination.Record) { r.Origin.Operation = "MERGE" }, "change", "1@1"},
		"event":          {destination.ModeEvents, func(r *destination.Record) { r.Origin.EventKind = "sync_completed" }, "event.sync_completed", "1@1"},
		"nameless event": {destination.ModeEvents, func(*destination.Record) {}, "event", "1@1"},
		"odd id":         {destination.ModeRecords, func(r *destination.Record) { r.IdempotencyKey = "é\r\nx: y" }, "record.upserted", hash("msg_", "é\r\nx: y")},
		"long id":        {destination.ModeRecords, func(r *destination.Record) { r.IdempotencyKey = strings.Repeat("a", 300) }, "record.upserted", hash("msg_", strings.Repeat("a", 300))},
		"no id":          {destination.ModeRecords, func(r *destination.Record) { r.IdempotencyKey = "" }, "record.upserted", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := upsert("1", 1, `{}`)
			if tt.mode != destination.ModeRecords {
				r.Operation = destination.Append
			}
			tt.change(&r)
			b := batch(tt.mode, r)
			it, err := newItem(&b, 0)
			if err != nil {
				t.Fatal(err)
			}
			var m message
			if err := json.Unmarshal(it.body, &m); err != nil {
				t.Fatal(err)
			}
			if m.Type != tt.typ || m.ID != it.id || tt.id != "" && it.id != tt.id {
				t.Errorf("type %q id %q, want %q %q", m.Type, it.id, tt.typ, tt.id)
			}
		})
	}
}

func TestOneBadRecordIsRejectedAlone(t *testing.T) {
	for _, asBatch := range []bool{false, true} {
		t.Run(fmt.Sprint("batch ", asBatch), func(t *testing.T) {
			e := newEndpoint(t, func(w http.ResponseWriter, _ *http.Request, body string) {
				if strings.Contains(body, `"bad":true`) {
					w.WriteHeader(http.StatusUnprocessableEntity)
					fmt.Fprint(w, "no bad ones,\x00 please")
				}
			})
			d := open(t, map[string]any{"url": e.URL, "batch": asBatch})
			var rs []destination.Record
			for i := range 20 {
				rs = append(rs, upsert(fmt.Sprint(i), 1, fmt.Sprintf(`{"bad":%v}`, i == 7 || i == 13)))
			}
			broken := upsert("20", 1, `{}`)
			broken.Fields["x"] = []byte(`{`)
			rs = append(rs, broken)
			for i, r := range write(t, d, batch(destination.ModeRecords, rs...)) {
				switch i {
				case 7, 13:
					if r.Kind != destination.Rejected || r.Code != "http_422" || !strings.HasSuffix(r.Message, ": no bad ones, please") {
						t.Errorf("record %d: %+v", i, r)
					}
				case 20:
					if r.Kind != destination.Rejected || r.Code != "invalid_record" {
						t.Errorf("record %d: %+v", i, r)
					}
				default:
					if r.Kind != destination.Delivered {
						t.Errorf("record %d: %+v", i, r)
					}
				}
			}
		})
	}
}

func TestBatchRequest(t *testing.T) {
	e := newEndpoint(t, nil)
	d := open(t, map[string]any{"url": e.URL, "batch": true, "secret": secret})
	b := batch(destination.ModeChanges, change("1", 1), change("1", 2), change("2", 3))
	write(t, d, b)
	write(t, d, b)
	got := e.got()
	var messages []message
	if err := json.Unmarshal([]byte(got[0].body), &messages); err != nil || len(got) != 2 || len(messages) != 3 || messages[1].ID != "1@2" {
		t.Errorf("%d requests, %v, %s", len(got), err, got[0].body)
	}
	if a, b := got[0].header.Get("webhook-id"), got[1].header.Get("webhook-id"); a != b || !strings.HasPrefix(a, "batch_") {
		t.Errorf("ids %q and %q", a, b)
	}
}

func TestOrderWithinAKey(t *testing.T) {
	var mu sync.Mutex
	order := map[string][]int64{}
	inFlight := map[string]bool{}
	e := newEndpoint(t, func(_ http.ResponseWriter, _ *http.Request, body string) {
		var m message
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Error(err)
		}
		id := m.Key["_platform_id"]
		mu.Lock()
		if inFlight[id] {
			t.Errorf("two requests for %s at a time", id)
		}
		inFlight[id] = true
		order[id] = append(order[id], m.Version)
		mu.Unlock()
		time.Sleep(time.Duration(m.Version%3) * time.Millisecond)
		mu.Lock()
		inFlight[id] = false
		mu.Unlock()
	})
	d := open(t, map[string]any{"url": e.URL})
	var rs []destination.Record
	for v := range int64(60) {
		rs = append(rs, change(fmt.Sprint(v%5), v))
	}
	write(t, d, batch(destination.ModeChanges, rs...))
	for id, versions := range order {
		if len(versions) != 12 {
			t.Errorf("%s: %d requests", id, len(versions))
		}
		for i := 1; i < len(versions); i++ {
			if versions[i] < versions[i-1] {
				t.Errorf("%s: %v", id, versions)
			}
		}
	}
}

func TestLaterWritesOfARecordWaitForTheFirst(t *testing.T) {
	e := newEndpoint(t, func(w http.ResponseWriter, _ *http.Request, body string) {
		if strings.Contains(body, `"version":1,`) {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	d := open(t, map[string]any{"url": e.URL})
	got := write(t, d, batch(destination.ModeChanges, change("1", 1), change("1", 2), change("2", 3)))
	want := []destination.ResultKind{destination.Retry, destination.Retry, destination.Delivered}
	for i, r := range got {
		if r.Kind != want[i] {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	if n := len(e.got()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestAThrottleEndsTheWrite(t *testing.T) {
	e := newEndpoint(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	d := open(t, map[string]any{"url": e.URL, "concurrency": 2})
	var rs []destination.Record
	for i := range 50 {
		rs = append(rs, upsert(fmt.Sprint(i), 1, `{}`))
	}
	for i, r := range write(t, d, batch(destination.ModeRecords, rs...)) {
		if wait := time.Until(r.Until); r.Kind != destination.Throttled || wait < 20*time.Second || wait > 31*time.Second {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	if n := len(e.got()); n > 4 {
		t.Errorf("%d requests after the first 429", n)
	}
}

func TestAHangingRecordDelaysNoOther(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	e := newEndpoint(t, func(_ http.ResponseWriter, r *http.Request, body string) {
		if strings.Contains(body, `"hang"`) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
	})
	t.Cleanup(func() { close(release) })
	d := open(t, map[string]any{"url": e.URL, "timeout": "3s", "concurrency": 2})
	rs := []destination.Record{upsert("0", 1, `{"hang":1}`)}
	for i := range 20 {
		rs = append(rs, upsert(fmt.Sprint(i+1), 1, `{}`))
	}
	for i, r := range write(t, d, batch(destination.ModeRecords, rs...)) {
		if i == 0 && (r.Kind != destination.Retry || r.Code != httpanswer.CodeTimeout) || i > 0 && r.Kind != destination.Delivered {
			t.Errorf("record %d: %+v", i, r)
		}
	}
}

func TestAHangingEndpointEndsTheWrite(t *testing.T) {
	release := make(chan struct{})
	e := newEndpoint(t, func(_ http.ResponseWriter, r *http.Request, _ string) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	d := open(t, map[string]any{"url": e.URL, "timeout": "50ms", "concurrency": 2})
	var rs []destination.Record
	for i := range 200 {
		rs = append(rs, upsert(fmt.Sprint(i), 1, `{}`))
	}
	for i, r := range write(t, d, batch(destination.ModeRecords, rs...)) {
		if r.Kind != destination.Retry || r.Code != httpanswer.CodeTimeout {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	if n := len(e.got()); n > 6 {
		t.Errorf("%d requests", n)
	}
}

func TestCancellationIsPrompt(t *testing.T) {
	started := make(chan struct{}, 100)
	e := newEndpoint(t, func(_ http.ResponseWriter, r *http.Request, _ string) {
		started <- struct{}{}
		<-r.Context().Done()
	})
	d := open(t, map[string]any{"url": e.URL})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	start := time.Now()
	results, err := d.Write(ctx, batch(destination.ModeRecords, upsert("1", 1, `{}`), upsert("2", 1, `{}`)))
	if took := time.Since(start); err != nil || took > 5*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	for _, r := range results {
		if r.Kind != destination.Retry || r.Code != httpanswer.CodeCancelled {
			t.Errorf("%+v", r)
		}
	}
}

func TestDeadlineLeavesTimeForTheAnswer(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, func(_ http.ResponseWriter, r *http.Request, body string) {
		if strings.Contains(body, `"hang"`) {
			<-r.Context().Done()
		}
	})
	d := open(t, map[string]any{"url": e.URL, "concurrency": 1})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // a tenth is for the answer
	defer cancel()
	results, err := d.Write(ctx, batch(destination.ModeRecords, upsert("1", 1, `{}`), upsert("2", 1, `{"hang":1}`)))
	if ctx.Err() != nil || err != nil || results[0].Kind != destination.Delivered || results[1].Kind != destination.Retry {
		t.Errorf("%v, %v, %v", ctx.Err(), err, results)
	}
}
