package main

import (
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
)

func TestOrder(t *testing.T) {
	delivered, failed := destination.Result{Kind: destination.Delivered}, destination.Result{Kind: destination.Retry}
	o := newOrder(2)
	a := identity{1}
	two := o.begin(a, 2)
	if !two.own {
		t.Fatal("the first version is not produced")
	}
	if s := o.begin(a, 2); s.own || s.flight != two.flight {
		t.Error("the same version is produced twice")
	}
	if s := o.begin(a, 1); s.own || s.flight != two.flight {
		t.Error("an older version does not wait for the newer one")
	}
	three := o.begin(a, 3)
	o.end(a, three.flight, failed)
	o.end(a, two.flight, delivered)
	if s := o.begin(a, 2); s.flight != nil {
		t.Error("a delivered version is produced again")
	}
	if s := o.begin(a, 3); !s.own {
		t.Error("a version that failed is not produced again")
	} else {
		o.end(a, s.flight, delivered)
	}
	// Keys in use are kept while others come and go; the rest is forgotten.
	for i := range 100 {
		id := identity{2, byte(i)}
		o.end(id, o.begin(id, 1).flight, delivered)
		if s := o.begin(a, 3); s.flight != nil {
			t.Fatal("a key in use was forgotten")
		}
	}
	if n := len(o.acked) + len(o.older) + len(o.flights); n > 4 {
		t.Errorf("%d keys are kept", n)
	}
}
