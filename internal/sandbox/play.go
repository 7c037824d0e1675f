package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Target is where webhooks go.
type Target struct {
	URL     string
	Headers map[string]string // static headers, as a webhook is configured with
	// Client, if set, is used as it is; by default one with keep-alive and the
	// options' timeout, which follows no redirects.
	Client *http.Client
}

// Play sends the webhooks of the given phases (default all) to the target and
// returns when each was acknowledged or given up. A webhook that is given up is
// no error, it is in the report. When ctx ends, Play stops soon and returns what
// it has with the cause.
func (s *Sandbox) Play(ctx context.Context, to Target, phases ...Phase) (Report, error) {
	if u, err := url.Parse(to.URL); err != nil || u.Host == "" {
		return Report{}, fmt.Errorf("play: %q is not a URL: give one such as http://127.0.0.1:8080/webhooks/rootfi", to.URL)
	}
	targets := []*Target{&to}
	return deliver(ctx, s.opts, s.Events(phases...), func(*Event) []*Target { return targets })
}

// deliver sends every event to the targets that route chooses for it.
func deliver(ctx context.Context, o Options, events iter.Seq[*Event], route func(*Event) []*Target) (Report, error) {
	next, stop := iter.Pull(events)
	defer stop()
	client := newClient(o)
	defer client.CloseIdleConnections()

	// Closing jobs ends the workers; every exit waits for them.
	jobs := make(chan job)
	results := make(chan result, o.Concurrency)
	var workers sync.WaitGroup
	for range o.Concurrency {
		workers.Go(func() {
			for j := range jobs {
				results <- attempt(ctx, client, j)
			}
		})
	}
	s := newSender(o, next, route)
	err := s.run(ctx, jobs, results)
	close(jobs)
	go func() {
		workers.Wait()
		close(results)
	}()
	for r := range results {
		s.count(r)
	}
	return s.finish(), err
}

func newClient(o Options) *http.Client {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxIdleConns:        o.Concurrency,
		MaxIdleConnsPerHost: o.Concurrency,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// parcel is one event on its way to one target.
type parcel struct {
	event    *Event
	to       *Target
	attempts int  // that count towards giving up
	late     bool // the first answer will be ignored
	acked    bool
}

// job is one POST to make.
type job struct {
	*parcel
	number    int
	duplicate bool
}

type result struct {
	job
	status int
	err    error
	took   time.Duration
}

func (r result) ok() bool { return r.err == nil && r.status >= 200 && r.status < 300 }

func attempt(ctx context.Context, client *http.Client, j job) result {
	if j.to.Client != nil {
		client = j.to.Client
	}
	r := result{job: j}
	begin := time.Now()
	r.status, r.err = post(ctx, client, j.to, j.event.Body)
	r.took = time.Since(begin)
	return r
}

// post returns the status of the answer. Its errors do not name the URL, which
// may hold a secret.
func post(ctx context.Context, client *http.Client, to *Target, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("invalid webhook URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "sluice-sandbox")
	for name, value := range to.Headers {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return 0, err
	}
	defer resp.Body.Close()
	// Read to the end, so that the connection can be used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}
