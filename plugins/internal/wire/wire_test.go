package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/wire"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"pgregory.net/rapid"
)

// fake answers with what it is told and remembers what it was asked.
type fake struct {
	description destination.Description
	settings    json.RawMessage
	batch       destination.Batch
	results     []destination.Result
	lines       []string
	err         error
	block       bool
}

func (f *fake) Describe(context.Context) (destination.Description, error) {
	return f.description, f.err
}

func (f *fake) Configure(_ context.Context, s json.RawMessage) error {
	f.settings = s
	return f.err
}

func (f *fake) Write(ctx context.Context, b destination.Batch) ([]destination.Result, error) {
	if f.block {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	f.batch = b
	return f.results, f.err
}

// able has the optional abilities too.
type able struct{ *fake }

func (a able) Check(context.Context) error { return a.err }

func (a able) DryRun(_ context.Context, b destination.Batch) ([]string, error) {
	a.batch = b
	return a.lines, a.err
}

func (a able) CheckObject(_ context.Context, object string, fields []string) (destination.ObjectCheck, error) {
	return destination.ObjectCheck{Missing: object == "none", Unknown: fields[min(1, len(fields)):], Known: []string{"a", "bad \xff"}}, a.err
}

// dial serves d over a connection in memory.
func dial(t testing.TB, d destination.Destination) *wire.Client {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(wire.ServerOptions()...)
	wire.Register(server, d)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///memory", append(wire.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return listener.Dial() }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return wire.NewClient(conn)
}

var (
	anyText = rapid.String()
	anyTime = rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(-1e10, 1e11).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	})
	anyValue = rapid.OneOf(
		rapid.SampledFrom([]string{
			`null`, `true`, `-0`, `1.50`, `9007199254740993`, `12345678901234567890123456789012345678.10`, `1E+400`,
			`[]`, `{}`, `[{"a":"]}\""},[[]]]`, ` {"x" : 1 } `, `"\ud800"`, `"\\"`, `"\""`,
		}),
		rapid.Custom(func(t *rapid.T) string {
			b, _ := json.Marshal(anyText.Draw(t, "text"))
			return string(b)
		}),
	)
)

func drawBatch(t *rapid.T) destination.Batch {
	b := destination.Batch{
		Mode:      rapid.SampledFrom([]destination.Mode{destination.ModeRecords, destination.ModeChanges, destination.ModeEvents}).Draw(t, "mode"),
		Object:    anyText.Draw(t, "object"),
		KeyFields: rapid.SliceOfN(anyText, 1, 3).Draw(t, "key fields"),
		Types:     map[string]destination.FieldType{},
		Records:   make([]destination.Record, rapid.IntRange(0, 4).Draw(t, "records")),
	}
	for _, name := range rapid.SliceOfN(anyText, 0, 3).Draw(t, "types") {
		b.Types[name] = rapid.SampledFrom([]destination.FieldType{destination.TypeNumber, destination.TypeJSON}).Draw(t, "type")
	}
	for i := range b.Records {
		r := destination.Record{
			Key:            rapid.SliceOfN(anyText, 1, 3).Draw(t, "key"),
			Operation:      rapid.SampledFrom([]destination.Operation{destination.Upsert, destination.Delete, destination.Append}).Draw(t, "operation"),
			Version:        rapid.Int64().Draw(t, "version"),
			Fields:         map[string]json.RawMessage{},
			IdempotencyKey: anyText.Draw(t, "idempotency key"),
			OccurredAt:     anyTime.Draw(t, "occurred at"),
			Origin: destination.Origin{
				Source: anyText.Draw(t, "source"), CompanyID: anyText.Draw(t, "company"),
				Integration: anyText.Draw(t, "integration"), Model: anyText.Draw(t, "model"),
				PlatformID: anyText.Draw(t, "platform id"), EventID: anyText.Draw(t, "event"),
				EventKind: anyText.Draw(t, "event kind"), Operation: anyText.Draw(t, "change"),
			},
		}
		for range rapid.IntRange(0, 4).Draw(t, "fields") {
			r.Fields[anyText.Draw(t, "name")] = json.RawMessage(anyValue.Draw(t, "value"))
		}
		if len(r.Fields) > 0 {
			r.Changed = slices.Sorted(maps.Keys(r.Fields))
		}
		b.Records[i] = r
	}
	return b
}

// trim removes white space around values: it is not part of them.
func trim(b destination.Batch) destination.Batch {
	b.Records = slices.Clone(b.Records)
	for i := range b.Records {
		fields := map[string]json.RawMessage{}
		for name, v := range b.Records[i].Fields {
			fields[name] = bytes.TrimSpace(v)
		}
		b.Records[i].Fields = fields
	}
	return b
}

func TestBatchSurvives(t *testing.T) {
	f := &fake{}
	c := dial(t, able{f})
	rapid.Check(t, func(t *rapid.T) {
		b := drawBatch(t)
		f.results = make([]destination.Result, len(b.Records))
		if _, err := c.Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		if want := trim(b); !reflect.DeepEqual(f.batch, want) {
			t.Fatalf("got  %+v\nwant %+v", f.batch, want)
		}
	})
}

func TestResultsSurvive(t *testing.T) {
	f := &fake{}
	c := dial(t, f)
	rapid.Check(t, func(t *rapid.T) {
		f.results = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) destination.Result {
			return destination.Result{
				Kind:       destination.ResultKind(rapid.IntRange(0, int(destination.Misconfigured)).Draw(t, "kind")),
				Code:       anyText.Draw(t, "code"),
				Message:    anyText.Draw(t, "message"),
				Until:      anyTime.Draw(t, "until"),
				ExternalID: anyText.Draw(t, "external id"),
			}
		}), 0, 5).Draw(t, "results")
		got, err := c.Write(context.Background(), destination.Batch{Records: make([]destination.Record, len(f.results))})
		if err != nil || !slices.Equal(got, f.results) {
			t.Fatalf("got  %+v, %v\nwant %+v", got, err, f.results)
		}
	})
}

func TestResultsFromForeignHands(t *testing.T) {
	f := &fake{results: []destination.Result{{Kind: 99, Message: "bad \xff byte"}, {Kind: -1}}}
	c := dial(t, f)
	got, err := c.Write(t.Context(), destination.Batch{Records: make([]destination.Record, 2)})
	want := []destination.Result{{Kind: destination.Retry, Message: "bad \uFFFD byte"}, {Kind: destination.Retry}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := c.Write(t.Context(), destination.Batch{Records: make([]destination.Record, 3)}); err == nil || !strings.Contains(err.Error(), "2 results for 3 records") {
		t.Errorf("too few results: %v", err)
	}
}

func TestDescriptionAndSettingsSurvive(t *testing.T) {
	f := &fake{description: destination.Description{
		Name: "postgres", Version: "1.2.0", ConfigSchema: json.RawMessage(`{"type":"object"}`),
		Capabilities:    []destination.Capability{destination.CapabilityCheck, "of tomorrow"},
		MaxBatchRecords: 500, MaxBatchBytes: 1 << 40,
	}}
	c := dial(t, f)
	if got, err := c.Describe(t.Context()); err != nil || !reflect.DeepEqual(got, f.description) {
		t.Errorf("got %+v, %v", got, err)
	}
	settings := json.RawMessage(`{"n":12345678901234567890}`)
	if err := c.Configure(t.Context(), settings); err != nil || string(f.settings) != string(settings) {
		t.Errorf("got %s, %v", f.settings, err)
	}
}

func TestAbilities(t *testing.T) {
	c := dial(t, &fake{})
	if err := c.Check(t.Context()); !errors.Is(err, wire.ErrUnsupported) {
		t.Errorf("check: %v", err)
	}
	if _, err := c.DryRun(t.Context(), destination.Batch{}); !errors.Is(err, wire.ErrUnsupported) {
		t.Errorf("dry run: %v", err)
	}
	if _, err := c.CheckObject(t.Context(), "bills", nil); !errors.Is(err, wire.ErrUnsupported) {
		t.Errorf("check object: %v", err)
	}
	f := &fake{lines: []string{"INSERT", "bad \xff"}}
	c = dial(t, able{f})
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	lines, err := c.DryRun(t.Context(), destination.Batch{Object: "bills"})
	if err != nil || !slices.Equal(lines, []string{"INSERT", "bad \uFFFD"}) || f.batch.Object != "bills" {
		t.Errorf("dry run: %q, %v", lines, err)
	}
	for object, missing := range map[string]bool{"none": true, "bills": false} {
		got, err := c.CheckObject(t.Context(), object, []string{"x", "y"})
		want := destination.ObjectCheck{Missing: missing, Unknown: []string{"y"}, Known: []string{"a", "bad \uFFFD"}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("check object %s: %+v, %v", object, got, err)
		}
	}
}

func TestErrors(t *testing.T) {
	until := time.Date(2030, 1, 1, 0, 0, 0, 1, time.UTC)
	for name, tt := range map[string]struct {
		err  error
		want *destination.Failure // nil: no Failure
	}{
		"plain":          {errors.New("odd"), nil},
		"failure":        {&destination.Failure{Kind: destination.Throttled, Code: "429", Until: until, Err: errors.New("wait")}, &destination.Failure{Kind: destination.Throttled, Code: "429", Until: until}},
		"wrapped":        {fmt.Errorf("write: %w", &destination.Failure{Kind: destination.Rejected, Code: "22P02", Err: errors.New("bad")}), &destination.Failure{Kind: destination.Rejected, Code: "22P02"}},
		"retry":          {&destination.Failure{Err: errors.New("later")}, &destination.Failure{}},
		"unknown kind":   {&destination.Failure{Kind: 77, Err: errors.New("new")}, &destination.Failure{}},
		"its own time":   {fmt.Errorf("connect: %w", context.DeadlineExceeded), nil},
		"invalid text":   {errors.New("\xff\xfe"), nil},
		"very long text": {errors.New(strings.Repeat("long ", 100_000)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, able{&fake{err: tt.err}})
			_, writeErr := c.Write(t.Context(), destination.Batch{})
			_, dryErr := c.DryRun(t.Context(), destination.Batch{})
			_, describeErr := c.Describe(t.Context())
			_, objectErr := c.CheckObject(t.Context(), "bills", nil)
			for call, err := range map[string]error{
				"write": writeErr, "dry run": dryErr, "describe": describeErr,
				"configure": c.Configure(t.Context(), nil), "check": c.Check(t.Context()), "check object": objectErr,
			} {
				if err == nil {
					t.Fatalf("%s: no error", call)
				}
				if !strings.HasPrefix(strings.ToValidUTF8(tt.err.Error(), "\uFFFD"), err.Error()) {
					t.Errorf("%s: text %.100q, want %.100q", call, err, tt.err)
				}
				f, ok := errors.AsType[*destination.Failure](err)
				if ok != (tt.want != nil) {
					t.Fatalf("%s: failure %v, want %v", call, f, tt.want)
				}
				if ok && (f.Kind != tt.want.Kind || f.Code != tt.want.Code || !f.Until.Equal(tt.want.Until)) {
					t.Errorf("%s: got %+v, want %+v", call, f, tt.want)
				}
				if errors.Is(err, wire.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: taken for something else: %#v", call, err)
				}
			}
		})
	}
}

func TestCancellationIsTheCallers(t *testing.T) {
	c := dial(t, &fake{block: true})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Write(ctx, destination.Batch{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("timeout: %v", err)
	}
	cause := errors.New("the worker stops")
	ctx2, cancel2 := context.WithCancelCause(t.Context())
	cancel2(cause)
	if _, err := c.Write(ctx2, destination.Batch{}); !errors.Is(err, cause) {
		t.Errorf("cancel: %v", err)
	}
}

// A plugin that stood still reads calls whose time is over, and gRPC gives them
// the whole of it once more.
func TestCallIsReadTooLate(t *testing.T) {
	at := func(d time.Duration) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "sluice-deadline", strconv.FormatInt(time.Now().Add(d).UnixMilli(), 10))
	}
	f := &fake{}
	c := dial(t, f)
	if _, err := c.Write(at(-time.Second), destination.Batch{Object: "late"}); err == nil || errors.Is(err, wire.ErrUnavailable) {
		t.Errorf("late: %v", err)
	}
	if f.batch.Object != "" {
		t.Error("a call was made after its deadline")
	}
	if _, err := c.Write(at(time.Hour), destination.Batch{Object: "in time"}); err != nil || f.batch.Object != "in time" {
		t.Errorf("in time: %v", err)
	}
	f.block = true
	if _, err := c.Write(at(50*time.Millisecond), destination.Batch{}); err == nil {
		t.Error("a call went on after its deadline")
	}
}

func TestLostConnection(t *testing.T) {
	conn, err := grpc.NewClient("unix:///nonexistent/socket", append(wire.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := wire.NewClient(conn).Write(t.Context(), destination.Batch{}); !errors.Is(err, wire.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestBrokenValuesDoNotLeave(t *testing.T) {
	f := &fake{}
	c := dial(t, f)
	for _, value := range []string{"", "1,\"injected\":2", "{", "nul", "1 2"} {
		_, err := c.Write(t.Context(), destination.Batch{Records: []destination.Record{{Fields: map[string]json.RawMessage{"amount": json.RawMessage(value)}}}})
		if err == nil || !strings.Contains(err.Error(), `field "amount"`) {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestLargeMessages(t *testing.T) {
	f := &fake{results: make([]destination.Result, 1)}
	c := dial(t, f)
	value := json.RawMessage(`"` + strings.Repeat("x", 32<<20) + `"`)
	b := destination.Batch{Records: []destination.Record{{Fields: map[string]json.RawMessage{"memo": value}}}}
	if _, err := c.Write(t.Context(), b); err != nil || len(f.batch.Records[0].Fields["memo"]) != len(value) {
		t.Fatal(err)
	}
}

func BenchmarkWrite(b *testing.B) {
	f := &fake{results: make([]destination.Result, 1000)}
	c := dial(b, f)
	batch := destination.Batch{Mode: destination.ModeRecords, Object: "invoices", KeyFields: []string{"id"}}
	for i := range f.results {
		r := destination.Record{Key: []string{fmt.Sprint(i)}, Operation: destination.Upsert, Version: 1, Fields: map[string]json.RawMessage{}}
		for n := range 30 {
			r.Fields[fmt.Sprint("field_", n)] = json.RawMessage(`"a value of some length"`)
		}
		batch.Records = append(batch.Records, r)
	}
	for b.Loop() {
		if _, err := c.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "records/s")
}

// metered has figures of its own.
type metered struct {
	*fake
	list []destination.Metric
}

func (m metered) Metrics(context.Context) ([]destination.Metric, error) { return m.list, m.err }

func TestMetricsSurvive(t *testing.T) {
	if _, err := dial(t, &fake{}).Metrics(t.Context()); !errors.Is(err, wire.ErrUnsupported) {
		t.Errorf("without figures: %v", err)
	}
	want := []destination.Metric{{Name: "requests_total", Labels: map[string]string{"status": "200"}, Value: 12.5}, {Name: "open"}}
	got, err := dial(t, metered{&fake{}, want}).Metrics(t.Context())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}
