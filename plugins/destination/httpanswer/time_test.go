package httpanswer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestKeepTime(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{
		time.Minute:      58 * time.Second,
		time.Second:      900 * time.Millisecond,
		20 * time.Second: 18 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			outer, cancelOuter := context.WithTimeout(t.Context(), given)
			defer cancelOuter()
			ctx, cancel := KeepTime(outer, 2*time.Second)
			defer cancel()
			<-ctx.Done()
			if got := time.Since(begin); got != want || outer.Err() != nil {
				t.Errorf("of %v it ended after %v, want %v", given, got, want)
			}
		})
	}
	ctx, cancel := KeepTime(t.Context(), time.Second)
	if _, ok := ctx.Deadline(); ok {
		t.Error("a deadline came from nowhere")
	}
	cancel()
	if ctx.Err() == nil {
		t.Error("it cannot be cancelled")
	}
}
