package activities

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestAClosedGateWaitsForThoseInsideAndKeepsOthersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gates
		leave, err := g.enter(t.Context(), "crm")
		if err != nil {
			t.Fatal(err)
		}
		closed, entered := false, false
		go func() {
			if err := g.Close(t.Context(), "crm"); err != nil {
				t.Error(err)
			}
			closed = true
		}()
		synctest.Wait()
		if closed {
			t.Fatal("the gate closed around somebody inside")
		}
		go func() {
			leave, err := g.enter(t.Context(), "crm")
			if err != nil {
				t.Error(err)
				return
			}
			entered = true
			leave()
		}()
		synctest.Wait()
		if entered {
			t.Fatal("somebody came through a gate that is being closed")
		}
		if leave, err := g.enter(t.Context(), "warehouse"); err != nil {
			t.Fatal(err)
		} else {
			leave()
		}
		leave()
		synctest.Wait()
		if !closed || entered {
			t.Fatalf("closed %v, entered %v", closed, entered)
		}
		g.Open("crm")
		synctest.Wait()
		if !entered {
			t.Error("nobody came through the open gate")
		}
	})
}

func TestAGateThatCannotCloseInTimeIsOpenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gates
		leave, err := g.enter(t.Context(), "crm")
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("too long")
		cancel(why)
		if err := g.Close(ctx, "crm"); !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
		again, err := g.enter(t.Context(), "crm")
		if err != nil {
			t.Fatal(err)
		}
		again()
	})
}
