package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	fake "github.com/sluicehq/sluice/internal/fake/s3"
	"github.com/sluicehq/sluice/plugins/destination"
)

func TestErrorsOfTheStore(t *testing.T) {
	for code, tt := range map[string]struct {
		status int
		kind   destination.ResultKind
	}{
		"AccessDenied":          {403, destination.Misconfigured},
		"KMS.DisabledException": {400, destination.Misconfigured},
		"NoSuchBucket":          {404, destination.Misconfigured},
		"AccountProblem":        {403, destination.Misconfigured},
		"InternalError":         {500, destination.Retry},
		"ServiceUnavailable":    {503, destination.Retry},
		"OperationAborted":      {409, destination.Retry},
		"KeyTooLongError":       {400, destination.Rejected},
		"SlowDown":              {503, destination.Throttled},
		"TooManyRequests":       {429, destination.Throttled},
	} {
		t.Run(code, func(t *testing.T) {
			s := newServer(t)
			d := open(t, s, nil)
			s.Fail(fake.Fault{Status: tt.status, Code: code, RetryAfter: "60", Times: tries})
			got := write(t, d, batch(upsert("a", 1, `{"memo":"m"}`), upsert("b", 1, `{}`)))
			for _, r := range got {
				wantResult(t, r, tt.kind, code)
				if wait := time.Until(r.Until); tt.kind == destination.Throttled && (wait < 50*time.Second || wait > time.Minute) {
					t.Errorf("wait %v", wait)
				}
			}
		})
	}
}

// Blips end with the client's own tries; a batch that comes again, or whose
// answer was lost, makes no second object.
func TestBlips(t *testing.T) {
	for name, f := range map[string]fake.Fault{
		"internal error":   {Status: 500, Code: "InternalError"},
		"slow down":        {Status: 503, Code: "SlowDown"},
		"truncated upload": {Truncate: true},
		"lost answer":      {LoseAnswer: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			d := open(t, s, nil)
			f.Times = 1
			s.Fail(f)
			for range 2 {
				deliver(t, d, upsert("a", 1, `{"memo":"m"}`))
			}
			if keys := s.keys(); len(keys) != 1 {
				t.Errorf("objects %v", keys)
			}
		})
	}
}

func TestWrongSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		more map[string]any
		code string
	}{
		"access key": {map[string]any{"access_key_id": "AKIDOTHER"}, "InvalidAccessKeyId"},
		"secret":     {map[string]any{"secret_access_key": "not-the-secret-key"}, "SignatureDoesNotMatch"},
		"bucket":     {map[string]any{"bucket": "other"}, "NoSuchBucket"},
		"none":       {map[string]any{"credentials": "none", "access_key_id": nil, "secret_access_key": nil}, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			d := open(t, s, tt.more)
			got := write(t, d, batch(upsert("a", 1, `{}`)))
			wantResult(t, got[0], destination.Misconfigured, tt.code)
			f, ok := errors.AsType[*destination.Failure](d.Check(t.Context()))
			if !ok || f.Kind != destination.Misconfigured || f.Code != tt.code {
				t.Errorf("check: %v", f)
			}
			if strings.Contains(fmt.Sprint(got[0].Message, f), "not-the-secret-key") {
				t.Error("the secret is in an error")
			}
		})
	}
}

// A store that echoes what it got must not bring a secret into an error.
func TestSecretsAreTakenOut(t *testing.T) {
	s := newServer(t)
	d := open(t, s, nil)
	s.Fail(fake.Fault{Status: 400, Code: "Echo-" + secretKey, Times: 1})
	if got := write(t, d, batch(upsert("a", 1, `{}`)))[0]; strings.Contains(got.Message, secretKey) {
		t.Errorf("%s", got.Message)
	}
}

func TestCheckLeavesNothing(t *testing.T) {
	s := newServer(t)
	if err := open(t, s, nil).Check(t.Context()); err != nil {
		t.Error(err)
	}
	if keys := s.keys(); len(keys) != 0 {
		t.Errorf("objects %v", keys)
	}
	// Who may not delete may write all the same.
	s.Fail(fake.Fault{Method: "DELETE", Status: 403, Code: "AccessDenied", Times: 1})
	if err := open(t, s, nil).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStoreIsDown(t *testing.T) {
	h := httptest.NewServer(nil)
	h.Close()
	d := open(t, server{url: h.URL}, nil)
	wantResult(t, write(t, d, batch(upsert("a", 1, `{}`)))[0], destination.Retry, "NETWORK")
}

func TestCancelledWrite(t *testing.T) {
	d := open(t, newServer(t), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results, err := d.Write(ctx, batch(upsert("a", 1, `{}`)))
	if err != nil {
		t.Fatal(err)
	}
	wantResult(t, results[0], destination.Retry, "CANCELLED")
}

// What the first object shows to be of no use is not tried with the others.
func TestTheRestOfAWriteIsNotSent(t *testing.T) {
	s := newServer(t)
	d := open(t, s, map[string]any{"secret_access_key": "not-the-secret-key", "layout": "{object}/{company_id}/{part}"})
	var rs []destination.Record
	for i := range 40 {
		r := upsert("a", 1, `{}`)
		r.Origin.CompanyID = fmt.Sprint(i)
		rs = append(rs, r)
	}
	for _, r := range write(t, d, batch(rs...)) {
		wantResult(t, r, destination.Misconfigured, "SignatureDoesNotMatch")
	}
	if n := s.Requests(); n > parallel {
		t.Errorf("%d requests", n)
	}
}

func TestMultipart(t *testing.T) {
	s := newServer(t)
	d := open(t, s, map[string]any{"compression": "none", "part_size_mib": 5, "encryption": "s3"})
	large := upsert("a", 1, `{"memo":"`+strings.Repeat("0123456789abcdef", 1<<20)+`"}`)
	deliver(t, d, large)
	keys := s.keys()
	if len(keys) != 1 {
		t.Fatalf("objects %v", keys)
	}
	o := s.Objects()[keys[0]]
	if got := rows(t, keys[0], o.Body); len(got) != 1 || len(got[0]["memo"]) != 16<<20 {
		t.Error("the object is not what was written")
	}
	if o.Header.Get("X-Amz-Server-Side-Encryption") != "AES256" {
		t.Errorf("headers %v", o.Header)
	}
	// A part that fails for good leaves no upload behind that is paid for.
	s.Fail(fake.Fault{Method: "PUT", Status: 403, Code: "AccessDenied", Times: 10})
	large.Version = 2
	wantResult(t, write(t, d, batch(large))[0], destination.Misconfigured, "AccessDenied")
	if n := s.Uploads(); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
}

func TestHeaders(t *testing.T) {
	for name, tt := range map[string]struct {
		more map[string]any
		want map[string]string
	}{
		"kms": {map[string]any{"encryption": "kms", "kms_key_id": "key-1"}, map[string]string{
			"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key-1",
		}},
		"class":   {map[string]any{"storage_class": "STANDARD_IA"}, map[string]string{"X-Amz-Storage-Class": "STANDARD_IA"}},
		"token":   {map[string]any{"session_token": "session-1"}, map[string]string{"X-Amz-Security-Token": "session-1"}},
		"parquet": {map[string]any{"format": "parquet"}, map[string]string{"Content-Type": "application/vnd.apache.parquet"}},
		"gzip":    {nil, map[string]string{"Content-Type": "application/gzip"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			deliver(t, open(t, s, tt.more), upsert("a", 1, `{}`))
			for header, want := range tt.want {
				if got := s.Objects()[s.keys()[0]].Header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
		})
	}
}

func TestWithoutOverwrite(t *testing.T) {
	s := newServer(t)
	d := open(t, s, map[string]any{"overwrite": false})
	for range 2 {
		deliver(t, d, upsert("a", 1, `{}`))
	}
	for key, o := range s.Objects() {
		if o.Writes != 1 {
			t.Errorf("%s was written %d times", key, o.Writes)
		}
	}
}

func TestLayout(t *testing.T) {
	s := newServer(t)
	d := open(t, s, map[string]any{"layout": "raw/{object}/company={company_id}/date={date}/{part}.jsonl.zst", "compression": "zstd"})
	other := upsert("b", 1, `{}`)
	other.Origin.CompanyID = "../x"
	deliver(t, d, upsert("a", 1, `{"total":0.10}`), other, upsert("c", 1, `{}`))
	keys := s.keys()
	if len(keys) != 2 || !strings.HasPrefix(keys[0], "raw/invoices/company=%2E.%2Fx/date=2026-03-01/") || !strings.HasPrefix(keys[1], "raw/invoices/company=4711/date=2026-03-01/") {
		t.Fatalf("objects %v", keys)
	}
	got := rows(t, keys[1], s.Objects()[keys[1]].Body)
	if len(got) != 2 || got[0]["total"] != "0.10" {
		t.Errorf("%v", got)
	}
}

// Buckets may be part of the host name, as at Amazon.
func TestHostStyle(t *testing.T) {
	h := httptest.NewUnstartedServer(nil)
	port := h.Listener.Addr().(*net.TCPAddr).Port
	store := fake.New(fake.Options{
		Bucket: "lake", Region: region, AccessKeyID: accessKey, SecretAccessKey: secretKey, Host: fmt.Sprint("store.test:", port),
	})
	h.Config.Handler = store
	h.Start()
	defer h.Close()
	d := open(t, server{Store: store, url: fmt.Sprint("http://store.test:", port)}, map[string]any{"path_style": nil})
	var asked string
	d.http.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		asked = address
		return (&net.Dialer{}).DialContext(ctx, network, h.Listener.Addr().String())
	}
	deliver(t, d, upsert("a", 1, `{}`))
	if len(store.Objects()) != 1 || !strings.HasPrefix(asked, "lake.store.test:") {
		t.Errorf("%d objects; %s", len(store.Objects()), asked)
	}
}

func TestDryRun(t *testing.T) {
	s := newServer(t)
	got, err := open(t, s, nil).DryRun(t.Context(), batch(upsert("a", 1, `{}`), upsert("b", 1, `{}`)))
	if err != nil || len(got) != 1 || !strings.HasPrefix(got[0], "PUT lake/invoices/2026-03-01/") || !strings.HasSuffix(got[0], ".jsonl.gz: 2 rows") {
		t.Errorf("%q, %v", got, err)
	}
	if s.Requests() != 0 {
		t.Error("the dry run asked the store")
	}
}

func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct{ settings, problem string }{
		"least": {`{"bucket":"lake"}`, ""},
		"all": {`{"bucket":"lake","endpoint":"http://minio:9000","region":"x","path_style":true,"credentials":"static","access_key_id":"a","secret_access_key":"b","session_token":"c",` +
			`"layout":"{model}/{part}","format":"jsonl","compression":"zstd","overwrite":false,"encryption":"kms","kms_key_id":"k","storage_class":"GLACIER_IR","part_size_mib":8,"timeout":"5s"}`, ""},
		"parquet":              {`{"bucket":"lake","format":"parquet","decimal":"38,9"}`, ""},
		"no bucket":            {`{}`, "bucket"},
		"bucket with a path":   {`{"bucket":"lake/x"}`, "bucket"},
		"unknown":              {`{"bucket":"lake","prefix":"x"}`, "prefix"},
		"endpoint":             {`{"bucket":"lake","endpoint":"minio:9000"}`, "endpoint"},
		"endpoint with a user": {`{"bucket":"lake","endpoint":"https://u:SECRET@x"}`, "endpoint"},
		"secret alone":         {`{"bucket":"lake","secret_access_key":"SECRET"}`, "access_key_id"},
		"two sources":          {`{"bucket":"lake","credentials":"role","access_key_id":"a","secret_access_key":"SECRET"}`, "credentials"},
		"credentials":          {`{"bucket":"lake","credentials":"file"}`, "credentials"},
		"no part":              {`{"bucket":"lake","layout":"{object}.jsonl"}`, "{part}"},
		"no object":            {`{"bucket":"lake","layout":"{part}.jsonl"}`, "{object}"},
		"traversal":            {`{"bucket":"lake","layout":"../{object}/{part}"}`, "layout"},
		"format":               {`{"bucket":"lake","format":"csv"}`, "format"},
		"compression":          {`{"bucket":"lake","compression":"br"}`, "compression"},
		"parquet compression":  {`{"bucket":"lake","format":"parquet","compression":"gzip"}`, "compression"},
		"decimal":              {`{"bucket":"lake","format":"parquet","decimal":"40,2"}`, "decimal"},
		"jsonl decimal":        {`{"bucket":"lake","decimal":"38,9"}`, "decimal"},
		"encryption":           {`{"bucket":"lake","encryption":"aes"}`, "encryption"},
		"key without kms":      {`{"bucket":"lake","kms_key_id":"k"}`, "kms_key_id"},
		"part size":            {`{"bucket":"lake","part_size_mib":1}`, "part_size_mib"},
		"timeout":              {`{"bucket":"lake","timeout":"1ms"}`, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseSettings([]byte(tt.settings))
			if (err == nil) != (tt.problem == "") || err != nil && (!strings.Contains(err.Error(), tt.problem) || strings.Contains(err.Error(), "SECRET")) {
				t.Errorf("error %v, want one about %q", err, tt.problem)
			}
		})
	}
	d, err := newS3().Describe(t.Context())
	if err != nil || d.Name != "s3" || !json.Valid(d.ConfigSchema) {
		t.Errorf("%+v, %v", d, err)
	}
}
