package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// receiver keeps the bodies that it answered with 2xx.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	accepted [][]byte
	wrong    int // requests without the header
	// answer decides the status of the nth request with this body, from 1.
	answer func(body []byte, n int) int
	counts map[string]int
}

func receive(t *testing.T, answer func(body []byte, n int) int) *receiver {
	r := &receiver{answer: answer, counts: make(map[string]int)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the sender went away
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if req.Header.Get("api_key") != "secret" || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
		r.wrong++
	}
	r.counts[string(body)]++
	status := http.StatusAccepted
	if r.answer != nil {
		status = r.answer(body, r.counts[string(body)])
	}
	if status < 300 {
		r.accepted = append(r.accepted, body)
	}
	w.WriteHeader(status)
}

func (r *receiver) target() sandbox.Target {
	return sandbox.Target{URL: r.URL, Headers: map[string]string{"api_key": "secret"}}
}

func hash(body []byte) uint32 {
	h := fnv.New32a()
	h.Write(body)
	return h.Sum32()
}

func TestPlayWithFaultsKeepsTheExpectedState(t *testing.T) {
	t.Parallel()
	flaky := func(body []byte, n int) int {
		if n == 1 && hash(body)%5 == 0 {
			return http.StatusServiceUnavailable
		}
		return http.StatusAccepted
	}
	tests := map[string]struct {
		options sandbox.Options
		answer  func([]byte, int) int
	}{
		"no faults":  {},
		"duplicates": {options: sandbox.Options{Faults: []sandbox.Fault{sandbox.FaultDuplicates}}},
		"reorder":    {options: sandbox.Options{Faults: []sandbox.Fault{sandbox.FaultReorder}}},
		"late":       {options: sandbox.Options{Faults: []sandbox.Fault{sandbox.FaultLate}}},
		"bursts":     {options: sandbox.Options{Faults: []sandbox.Fault{sandbox.FaultBursts}}},
		"all, flaky": {options: sandbox.Options{Faults: sandbox.Faults, Generations: sandbox.Generations, Companies: 3}, answer: flaky},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := test.options
			o.Seed, o.Records, o.RetryBase = 31, 200, 5*time.Millisecond
			o.RecordsPerWebhook = sandbox.Range{Min: 1, Max: 3}
			s, r := sandbox.New(o), receive(t, test.answer)
			report, err := s.Play(t.Context(), r.target())
			if err != nil {
				t.Fatal(err)
			}
			events := len(bodiesOf(s))
			if report.Events != events || report.Acknowledged != events || len(report.Acks) != events || len(report.GaveUp) != 0 {
				t.Errorf("%d events: report %d events, %d acknowledged (%d ids), gave up %v",
					events, report.Events, report.Acknowledged, len(report.Acks), report.GaveUp)
			}
			if report.Sent != report.Events+report.Retries+report.Duplicates {
				t.Errorf("sent %d is not %d + %d + %d", report.Sent, report.Events, report.Retries, report.Duplicates)
			}
			has := func(f sandbox.Fault) bool { return slices.Contains(o.Faults, f) }
			if has(sandbox.FaultDuplicates) != (report.Duplicates > 0) || has(sandbox.FaultLate) != (report.Late > 0) {
				t.Errorf("%d duplicates, %d late", report.Duplicates, report.Late)
			}
			if r.wrong != 0 {
				t.Errorf("%d requests without method, header or content type", r.wrong)
			}
			if report.Latency.P50 <= 0 || report.Latency.Max < report.Latency.P99 {
				t.Errorf("latency %+v", report.Latency)
			}
			if !slices.Equal(report.Models, s.Counts()) {
				t.Error("the report's counts are not the script's")
			}
			if o.Generations == nil {
				same(t, replay(t, r.accepted), described(t, s.Expected()))
			}
		})
	}
}

func TestPlayGivesUp(t *testing.T) {
	t.Parallel()
	// The receiver never takes one body in seven, and the state is then known too.
	r := receive(t, func(body []byte, _ int) int {
		if hash(body)%7 == 0 {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	var mu sync.Mutex
	attempts := make(map[string]int)
	s := sandbox.New(sandbox.Options{
		Seed: 9, Records: 100, RetryBase: time.Millisecond, RecordsPerWebhook: sandbox.Range{Min: 1, Max: 5},
		Observe: func(a sandbox.Attempt) {
			mu.Lock()
			defer mu.Unlock()
			attempts[a.Event.ID]++
			if a.Number != attempts[a.Event.ID] {
				t.Errorf("attempt %d of %s is said to be number %d", attempts[a.Event.ID], a.Event.ID, a.Number)
			}
		},
	})
	report, err := s.Play(t.Context(), r.target())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.GaveUp) == 0 || report.Acknowledged+len(report.GaveUp) != report.Events {
		t.Fatalf("%d gave up, %d acknowledged, %d events", len(report.GaveUp), report.Acknowledged, report.Events)
	}
	for _, f := range report.GaveUp {
		if _, acked := report.Acks[f.ID]; acked || f.Attempts != 4 || attempts[f.ID] != 4 || f.Status != 500 {
			t.Errorf("gave up %+v after %d attempts", f, attempts[f.ID])
		}
	}
	same(t, replay(t, r.accepted), described(t, s.ExpectedWithout(report.GaveUpIDs()...)))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRetryDelaysGrow(t *testing.T) {
	tests := map[string]struct {
		options sandbox.Options
		want    []time.Duration // moments of the attempts
	}{
		"default": {sandbox.Options{}, []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}},
		"base":    {sandbox.Options{RetryBase: time.Minute, Retries: 2}, []time.Duration{0, time.Minute, 3 * time.Minute}},
		"none":    {sandbox.Options{Retries: -1}, []time.Duration{0}},
		"timeout": {sandbox.Options{Timeout: 2 * time.Second, Retries: 1}, []time.Duration{0, 3 * time.Second}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := test.options
				o.Seed, o.Concurrency = 1, 1000
				s := sandbox.New(o)
				var first string
				for ev := range s.Events() {
					first = string(ev.Body)
					break
				}
				begin := time.Now()
				var mu sync.Mutex
				var got []time.Duration
				client := &http.Client{Timeout: o.Timeout, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						return nil, err
					}
					if string(body) != first {
						return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
					}
					mu.Lock()
					got = append(got, time.Since(begin))
					mu.Unlock()
					if o.Timeout > 0 {
						<-r.Context().Done()
						return nil, r.Context().Err()
					}
					return nil, errors.New("refused")
				})}
				report, err := s.Play(t.Context(), sandbox.Target{URL: "http://receiver", Client: client})
				if err != nil {
					t.Fatal(err)
				}
				if len(report.GaveUp) != 1 || report.GaveUp[0].Cause == "" {
					t.Errorf("gave up %+v", report.GaveUp)
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("attempts at %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestRateAndBursts(t *testing.T) {
	tests := map[string]struct {
		faults  []sandbox.Fault
		longest int // events in one moment
	}{
		"steady": {nil, 1},
		"bursts": {[]sandbox.Fault{sandbox.FaultBursts}, 500},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				at := make(map[time.Time]int)
				client := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
					mu.Lock()
					defer mu.Unlock()
					at[time.Now()]++
					return &http.Response{StatusCode: 202, Body: http.NoBody}, nil
				})}
				s := sandbox.New(sandbox.Options{
					Seed: 2, Records: 300, Rate: 100, Faults: test.faults, RecordsPerWebhook: sandbox.Range{Min: 1, Max: 1},
				})
				report, err := s.Play(t.Context(), sandbox.Target{URL: "http://receiver", Client: client}, sandbox.PhaseInitial)
				if err != nil {
					t.Fatal(err)
				}
				longest := 0
				for _, n := range at {
					longest = max(longest, n)
				}
				if longest > test.longest || test.faults != nil && longest < 100 {
					t.Errorf("%d events in one moment, want at most %d", longest, test.longest)
				}
				// The mean rate holds up to the last burst.
				want := time.Duration(report.Events) * time.Second / 100
				if report.Elapsed > want+time.Second || report.Elapsed < want-6*time.Second {
					t.Errorf("%d events took %v, want about %v", report.Events, report.Elapsed, want)
				}
			})
		})
	}
}

func TestPlayStopsWithItsContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	var seen atomic.Int64
	r := receive(t, nil)
	s := sandbox.New(sandbox.Options{
		Seed: 1, Records: 2000, Faults: sandbox.Faults, RetryBase: time.Hour,
		Observe: func(a sandbox.Attempt) {
			if seen.Add(1) == 50 {
				cancel(cause)
			}
		},
	})
	report, err := s.Play(ctx, r.target())
	if !errors.Is(err, cause) {
		t.Errorf("err is %v, want %v", err, cause)
	}
	if report.Acknowledged < 40 || report.Acknowledged > 50+2*16 { // by workers, and by answers that wait to be counted
		t.Errorf("acknowledged %d", report.Acknowledged)
	}
}

func TestPlayRefusesAnythingButAURL(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "receiver", "/path", "http://", "::"} {
		if _, err := sandbox.New(sandbox.Options{}).Play(t.Context(), sandbox.Target{URL: bad}); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// A failure's cause goes to reports and terminals: it must not hold the URL.
func TestCausesNameNoURL(t *testing.T) {
	t.Parallel()
	r := receive(t, nil)
	target := sandbox.Target{URL: r.URL + "/?token=hush"}
	r.Close()
	report, err := sandbox.New(sandbox.Options{Retries: -1}).Play(t.Context(), target, sandbox.PhaseInitial)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.GaveUp) == 0 {
		t.Fatal("nothing was given up")
	}
	for _, f := range report.GaveUp {
		if strings.Contains(f.Cause, "hush") || f.Cause == "" {
			t.Errorf("cause %q", f.Cause)
		}
	}
}

// Redirects are not followed: a webhook that is redirected is not delivered.
func TestRedirectsAreFailures(t *testing.T) {
	t.Parallel()
	r := receive(t, func(body []byte, _ int) int {
		if bytes.Contains(body, []byte("CONNECTION_CHANGED")) {
			return http.StatusFound
		}
		return http.StatusOK
	})
	report, err := sandbox.New(sandbox.Options{Retries: -1}).Play(t.Context(), r.target(), sandbox.PhaseInitial)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.GaveUp) != 1 || report.Statuses[http.StatusFound] != 1 {
		t.Errorf("gave up %v, statuses %v", report.GaveUp, report.Statuses)
	}
}
