package chaos

import (
	"slices"
	"testing"
	"time"
)

func take(n int, seed uint64, p Profile) []Fault {
	var out []Fault
	for f := range Plan(seed, p) {
		if out = append(out, f); len(out) == n {
			break
		}
	}
	return out
}

var everything = []Kind{
	KillServer, CrashPoint, FreezeServer, FreezeLong, KillPlugin, KillTemporal, RestartPostgres, FullDisk, ClockJump,
	CutSender, CutPostgres, CutLedger, CutTemporal, BadReceiver,
}

func TestAPlanRepeats(t *testing.T) {
	p := Profile{Servers: 2, Kinds: everything, Gap: time.Second}
	a, b := take(500, 7, p), take(500, 7, p)
	if !slices.Equal(a, b) {
		t.Error("the same seed gave two plans")
	}
	if slices.Equal(a, take(500, 8, p)) {
		t.Error("another seed gave the same plan")
	}
}

func TestAPlanHasEveryKindAtItsPace(t *testing.T) {
	plan := take(500, 1, Profile{Servers: 2, Kinds: everything, Gap: time.Second})
	var kinds []Kind
	servers := make(map[int]bool)
	var length time.Duration
	for _, f := range plan {
		kinds = append(kinds, f.Kind)
		servers[f.Server] = true
		length += f.After
	}
	for _, k := range everything {
		if !slices.Contains(kinds, k) {
			t.Errorf("no %s in 500 faults", k)
		}
	}
	if len(servers) != 2 {
		t.Errorf("servers %v are hit, want both", servers)
	}
	if mean := length / 500; mean < 900*time.Millisecond || mean > 1100*time.Millisecond {
		t.Errorf("a fault every %v, want one a second", mean)
	}
	if got := take(3, 1, Profile{}); len(got) != 0 {
		t.Errorf("without kinds there are faults: %v", got)
	}
}
