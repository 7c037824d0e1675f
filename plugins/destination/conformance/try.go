package conformance

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
)

// Try runs all cases one after the other, outside of go test, and calls each
// with every outcome as it comes. Cases whose name is not in only are left out,
// unless only is empty. The error is for a subject that cannot be tested at all.
func Try(ctx context.Context, subject Subject, only []string, each func(Outcome)) (*Report, error) {
	if err := CheckLacks(subject.Lacks); err != nil {
		return nil, err
	}
	cases, err := selected(only)
	if err != nil {
		return nil, err
	}
	var report *Report
	problems := trial(ctx, func(t T) {
		s := &suite{Subject: subject}
		d, err := s.open(t).Describe(t.Context())
		if err != nil {
			t.Fatalf("describe: %v", err)
		}
		report = NewReport(d)
		for _, c := range cases {
			if t.Context().Err() != nil {
				return
			}
			var o Outcome
			problems := trial(ctx, func(t T) { c.Run(t, subject, d, &o) })
			if len(problems) > 0 {
				o.Result, o.Problems = Failed, problems
			}
			report.Cases = append(report.Cases, o)
			each(o)
		}
	})
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("the plugin cannot be tested: %s", strings.Join(problems, "; "))
	}
	return report, nil
}

func selected(only []string) ([]Case, error) {
	if len(only) == 0 {
		return Cases(), nil
	}
	var list []Case
	for _, name := range only {
		found := false
		for _, c := range Cases() {
			if c.Name == name || c.Group == name {
				list, found = append(list, c), true
			}
		}
		if !found {
			return nil, fmt.Errorf("%q is no case and no group of the suite", name)
		}
	}
	return list, nil
}

// attempt is a T outside of go test.
type attempt struct {
	ctx context.Context

	mu       sync.Mutex
	problems []string
	cleanups []func()
}

// trial runs f and its clean-ups, and returns what was wrong.
func trial(ctx context.Context, f func(T)) []string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &attempt{ctx: ctx}
	a.protect(func() { f(a) })
	cancel()
	for len(a.cleanups) > 0 {
		last := a.cleanups[len(a.cleanups)-1]
		a.cleanups = a.cleanups[:len(a.cleanups)-1]
		a.protect(last)
	}
	return a.problems
}

// protect runs f in a goroutine that Fatal may end.
func (a *attempt) protect(f func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	<-ended
}

func (a *attempt) Helper()                  {}
func (a *attempt) Context() context.Context { return a.ctx }
func (a *attempt) Logf(string, ...any)      {}

func (a *attempt) Cleanup(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cleanups = append(a.cleanups, f)
}

func (a *attempt) Error(args ...any) { a.fail(fmt.Sprint(args...)) }

func (a *attempt) Errorf(format string, args ...any) { a.fail(fmt.Sprintf(format, args...)) }

func (a *attempt) Fatal(args ...any) {
	a.fail(fmt.Sprint(args...))
	runtime.Goexit()
}

func (a *attempt) Fatalf(format string, args ...any) {
	a.fail(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (a *attempt) Failed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.problems) > 0
}

func (a *attempt) fail(problem string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.problems = append(a.problems, problem)
}
