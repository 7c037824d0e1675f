package chaos

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/sluicehq/sluice/internal/fault"
)

// Kind is a way in which the world goes wrong.
type Kind string

// The kinds of faults.
const (
	KillServer      Kind = "kill server"      // SIGKILL, and perhaps once more while it starts
	CrashPoint      Kind = "crash point"      // the server dies at a named line, such as before a commit
	FreezeServer    Kind = "freeze server"    // SIGSTOP, later SIGCONT
	FreezeLong      Kind = "freeze long"      // the same, longer than leases last
	KillPlugin      Kind = "kill plugin"      // SIGKILL of one plugin process
	KillTemporal    Kind = "kill temporal"    // SIGKILL of an external Temporal, and a new start
	RestartPostgres Kind = "restart postgres" // immediate mode: it recovers from its log
	FullDisk        Kind = "full disk"        // nothing can be written to the data directory
	ClockJump       Kind = "clock jump"       // of the server's wall clock, to and fro
	CutSender       Kind = "net sender"       // between RootFi and the endpoint
	CutPostgres     Kind = "net postgres"     // between the plugin and its database
	CutLedger       Kind = "net ledger"       // between a server and its ledger's database
	CutTemporal     Kind = "net temporal"     // between a server and Temporal
	BadReceiver     Kind = "bad receiver"     // the webhook destination is slow, hangs, fails, throttles, hangs up
)

// Fault is one fault of a plan. Which fields count depends on the kind.
type Fault struct {
	Number int
	After  time.Duration // since the last one began
	Kind   Kind
	Server int           // which one, of several
	For    time.Duration // how long it lasts
	How    string        // a toxic, a misbehaviour, a crash point, a plugin
	Amount int64         // milliseconds, bytes, seconds or passages: what How needs
}

func (f Fault) String() string {
	s := fmt.Sprintf("%d: %s", f.Number, f.Kind)
	if f.How != "" {
		s += fmt.Sprintf(" (%s %d)", f.How, f.Amount)
	}
	if f.For > 0 {
		s += fmt.Sprintf(" for %v", f.For.Round(time.Millisecond))
	}
	return fmt.Sprintf("%s, server %d", s, f.Server)
}

// Profile is what a plan draws from.
type Profile struct {
	Servers int
	Kinds   []Kind
	Gap     time.Duration // between faults, on average
}

// weight is how often a kind is drawn, against the others. A kind that is not
// here has 2.
var weight = map[Kind]int{KillServer: 4, CrashPoint: 5, KillPlugin: 4, BadReceiver: 4, CutSender: 3, FreezeLong: 1, FullDisk: 1}

// Plan lists faults without end. The same seed and profile give the same list.
func Plan(seed uint64, p Profile) iter.Seq[Fault] {
	return func(yield func(Fault) bool) {
		rng := rand.New(rand.NewPCG(seed, 0xc4a05))
		var urn []Kind
		for _, k := range p.Kinds {
			n := weight[k]
			if n == 0 {
				n = 2
			}
			for range n {
				urn = append(urn, k)
			}
		}
		for n := 1; len(urn) > 0; n++ {
			f := Fault{Number: n, Kind: urn[rng.IntN(len(urn))], Server: rng.IntN(max(p.Servers, 1))}
			f.After = p.Gap/2 + between(rng, 0, p.Gap)
			f.draw(rng)
			if !yield(f) {
				return
			}
		}
	}
}

// toxics are what a connection can suffer, with the range of what each needs.
var toxics = []struct {
	name     string
	from, to int64
}{
	{"down", 0, 1},           // every connection is cut and no new one is taken
	{"latency", 20, 800},     // milliseconds
	{"timeout", 50, 1500},    // nothing passes, then the connection is closed
	{"reset_peer", 0, 300},   // closed with a reset after so many milliseconds
	{"limit_data", 50, 6000}, // closed after so many bytes
	{"slicer", 50, 500},      // in pieces of so many bytes
}

var misbehaviours = []string{MisSlow, MisHang, MisError, MisThrottle, MisHangUp, MisAnswerLost}

// plugins are the destinations of a run, whose processes can be killed.
var plugins = []string{destPostgres, destSQLite, destTrail, destHook}

func (f *Fault) draw(rng *rand.Rand) {
	switch f.Kind {
	case KillServer:
		f.For = between(rng, 0, 1200*time.Millisecond) // until it starts again
		f.Amount = rng.Int64N(3)                       // 0: it is killed while it starts, too
	case CrashPoint:
		f.How = fault.Points[rng.IntN(len(fault.Points))]
		f.Amount = 1 + rng.Int64N(60)
		f.For = between(rng, 0, 500*time.Millisecond)
	case FreezeServer:
		f.For = between(rng, 300*time.Millisecond, 8*time.Second)
	case FreezeLong:
		f.For = between(rng, 45*time.Second, 60*time.Second)
	case KillPlugin:
		f.How = plugins[rng.IntN(len(plugins))]
	case KillTemporal, RestartPostgres:
		f.For = between(rng, 0, 5*time.Second)
	case FullDisk:
		f.For = between(rng, time.Second, 10*time.Second)
	case ClockJump:
		f.Amount = rng.Int64N(181) - 90
	case CutSender, CutPostgres, CutLedger, CutTemporal:
		t := toxics[rng.IntN(len(toxics))]
		f.How, f.Amount = t.name, t.from+rng.Int64N(t.to-t.from)
		f.For = between(rng, 200*time.Millisecond, 6*time.Second)
	case BadReceiver:
		f.How = misbehaviours[rng.IntN(len(misbehaviours))]
		f.For = between(rng, 500*time.Millisecond, 8*time.Second)
		f.Amount = 50 + rng.Int64N(1000)
	}
}

func between(rng *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(rng.Int64N(int64(to-from)+1))
}
