package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	fake "github.com/sluicehq/sluice/internal/fake/hubspot"
	"github.com/sluicehq/sluice/plugins/destination"
)

// deals are first writes, each of a company of its own.
func deals(n int) destination.Batch {
	b := batch("deals")
	for i := range n {
		b.Records = append(b.Records, deal(fmt.Sprintf("d%03d", i), fmt.Sprintf("c%03d", i)))
	}
	return b
}

// One association that HubSpot refuses, with the whole batch or in an answer that
// makes the others, is found, and no other record waits for it.
func TestOneBadAssociation(t *testing.T) {
	for name, tc := range map[string]struct {
		gone, mixed bool
		kind        destination.ResultKind
	}{
		"gone":           {true, false, destination.Dependency},
		"gone, mixed":    {true, true, destination.Dependency},
		"refused":        {false, false, destination.Rejected},
		"refused, mixed": {false, true, destination.Rejected},
	} {
		t.Run(name, func(t *testing.T) {
			d, account := open(t, fake.Options{}, dealAssociation)
			want(t, write(t, d, companies(150)), delivered)
			faults := fake.Faults{MixedLinks: tc.mixed}
			if tc.gone {
				archive(t, account, "c077")
			} else {
				faults.BadLinks = []string{byKey(t, account, "companies")["c077"]["hs_object_id"]}
			}
			account.SetFaults(faults)
			kinds := make([]destination.ResultKind, 150)
			for i := range kinds {
				kinds[i] = delivered
			}
			kinds[77] = tc.kind
			want(t, write(t, d, deals(150)), kinds...)
			if n := len(account.Associations()); n != 149 {
				t.Errorf("%d associations", n)
			}
			if n := calls(account, "/associations/"); n > 20 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

// When no association can be made the search ends, and no record is given up for
// another's sake.
func TestEveryAssociationIsRefused(t *testing.T) {
	d, account := open(t, fake.Options{}, dealAssociation)
	want(t, write(t, d, companies(300)), delivered)
	var bad []string
	for _, company := range byKey(t, account, "companies") {
		bad = append(bad, company["hs_object_id"])
	}
	account.SetFaults(fake.Faults{BadLinks: bad})
	found := 0
	for i, r := range write(t, d, deals(300)) {
		switch r.Kind {
		case destination.Rejected:
			found++
		case destination.Retry:
		default:
			t.Errorf("deal %d: %v", i, r)
		}
	}
	if n := calls(account, "/associations/"); n > 2*maxRefusals+1 || found == 0 {
		t.Errorf("%d calls, %d found", n, found)
	}
}

// What of the parents was looked up before an error is associated.
func TestSomeParentsAreNotFoundOut(t *testing.T) {
	d, account := open(t, fake.Options{}, dealAssociation)
	want(t, write(t, d, companies(250)), delivered)
	d.known = known{}
	account.SetFaults(fake.Faults{Fail: []fake.Failure{{Path: "/companies/batch/read", Skip: 1, Status: 502}}})
	results := write(t, d, deals(250))
	want(t, results[:100], delivered)
	want(t, results[100:], again)
	want(t, write(t, d, deals(250)), delivered)
}

// stall is an account that does not answer some of the calls.
func stall(t *testing.T, stalls func(path string) bool) (*hubspot, *fake.Server) {
	t.Helper()
	var account atomic.Pointer[fake.Server]
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stalls(r.URL.Path) {
			_, _ = io.Copy(io.Discard, r.Body) // else it is not seen that the client goes away
			<-r.Context().Done()
			return
		}
		account.Load().ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	settings := map[string]any{"base_url": front.URL}
	for name, value := range dealAssociation {
		settings[name] = value
	}
	d, a := open(t, fake.Options{}, settings)
	account.Store(a)
	return d, a
}

func writeFor(t *testing.T, d *hubspot, time time.Duration, b destination.Batch) []destination.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time)
	defer cancel()
	results, err := d.Write(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// When HubSpot is slow a Write still brings something to its end: else the next
// would begin with the same records and not get further either.
func TestSlowWritesGetOn(t *testing.T) {
	t.Run("associations", func(t *testing.T) {
		t.Parallel()
		var n atomic.Int32
		d, account := stall(t, func(path string) bool { return strings.HasSuffix(path, "/deals/batch/upsert") && n.Add(1) == 2 })
		want(t, write(t, d, companies(200)), delivered)
		d.known = known{} // parents are looked up in the time that is left
		results := writeFor(t, d, 6*time.Second, deals(200))
		want(t, results[:100], delivered)
		want(t, results[100:], again)
		if n := len(account.Associations()); n != 100 {
			t.Errorf("%d associations", n)
		}
	})
	t.Run("records that are there", func(t *testing.T) {
		t.Parallel()
		var n atomic.Int32
		d, _ := stall(t, func(path string) bool { return strings.HasSuffix(path, "/companies/batch/create") && n.Add(1) == 7 })
		b := companies(300)
		want(t, write(t, d, b), delivered) // calls 1 to 4: one makes properties
		d.known = known{}                  // else they are not taken for new
		for i := range b.Records {
			b.Records[i].Version++
		}
		results := writeFor(t, d, 10*time.Second, b)
		want(t, results[:200], delivered)
		want(t, results[200:], again)
	})
}
