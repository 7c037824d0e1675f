package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// Invariant 4: a destination that hangs, and one that refuses a record, delay
// nothing else.
func TestIsolation(t *testing.T) {
	t.Parallel()
	hangs := make(chan struct{})
	stuck := receive(t, func(http.ResponseWriter, *http.Request, []byte) { <-hangs })
	t.Cleanup(func() { close(hangs) }) // before the receiver is closed, which waits

	sb := sandbox.New(sandbox.Options{Seed: 6, Records: 400, Faults: sandbox.Faults, RetryBase: 50 * time.Millisecond})
	var refused sandbox.Record
	for _, r := range sb.Expected() {
		if r.Model == "CONTACTS" && !r.Deleted {
			refused = r
		}
	}
	picky := newDoor()
	picky.refuse.Store(new("contacts/" + refused.PlatformID))
	picky.open.Store(true)
	choosy := receive(t, picky.answer)

	w := newTrio(t)
	s := newServer(t, setup{rest: strings.Replace(w.config(), "routes:\n", fmt.Sprintf(`  stuck:
    plugin: webhook
    config: {url: %q, timeout: 50s, allow_networks: [127.0.0.0/8]}
  choosy:
    plugin: webhook
    config: {url: %q, allow_networks: [127.0.0.0/8]}
routes:
  - name: to-others
    to: [stuck, choosy]
`, stuck, choosy), 1)})
	s.ready()
	report := perform(t, sb, s.target()).wait()

	s.served("lite", "pg", "audit", "choosy")
	waiting, delivered, _ := s.counts("stuck")
	if waiting == 0 || delivered > 0 {
		t.Errorf("the destination that hangs has %d, and %d wait", delivered, waiting)
	}
	s.applied(report.Acks)
	w.verify(t, sb, nil)

	// The one record, and no other, is a dead letter.
	var letters []ledger.DeadLetter
	if err := json.Unmarshal([]byte(s.run("dead-letters", "list", "-o", "json")), &letters); err != nil {
		t.Fatal(err)
	}
	if len(letters) != 1 || letters[0].Destination != "choosy" || letters[0].Key.PlatformID != refused.PlatformID || letters[0].Code != "http_422" {
		t.Fatalf("the dead letters are %+v, want one of %s at choosy", letters, refused.PlatformID)
	}
	if got, want := picky.records(), len(sb.Expected())-1; got != want {
		t.Errorf("choosy has %d records, want %d", got, want)
	}
	if out := s.run("dead-letters", "show", fmt.Sprint(letters[0].ID)); !strings.Contains(out, "not this one") {
		t.Errorf("the dead letter does not show what the destination said: %s", out)
	}

	// When the cause is gone it is retried.
	picky.refuse.Store(nil)
	if out := s.run("dead-letters", "retry", "--destination", "choosy"); !strings.HasPrefix(out, "1 ") || !strings.Contains(out, "booked again") {
		t.Errorf("dead-letters retry says %s", out)
	}
	eventually(t, time.Minute, "the dead letter to arrive", func() bool {
		waiting, _, dead := s.counts("choosy")
		return waiting == 0 && dead == 0 && picky.has("contacts/"+refused.PlatformID)
	})
	if out := s.run("dead-letters", "list"); strings.Contains(out, "choosy") {
		t.Errorf("the dead letter is still listed: %s", out)
	}
}
