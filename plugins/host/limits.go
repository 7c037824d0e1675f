package host

import (
	"fmt"
	"math"
	"strconv"
)

// Limits bound what a plugin's process, with all that it starts, may use. Zero
// is no limit.
type Limits struct {
	Memory    int64   // bytes
	CPU       float64 // processors
	OpenFiles int
}

// environment tells programs in Go what they have. The limits hold without it;
// but a program that knows of its memory collects before it is killed.
func (l Limits) environment(set map[string]string) []string {
	var env []string
	add := func(name, value string) {
		if _, ok := set[name]; !ok {
			env = append(env, name+"="+value)
		}
	}
	if l.Memory > 0 {
		add("GOMEMLIMIT", strconv.FormatInt(l.Memory/10*8, 10)+"B")
	}
	if l.CPU > 0 {
		add("GOMAXPROCS", strconv.Itoa(int(math.Ceil(l.CPU))))
	}
	return env
}

// UnlimitedError says that this system cannot hold a limit.
type UnlimitedError struct{ What, Why string }

func (e *UnlimitedError) Error() string {
	return fmt.Sprintf("limits.%s cannot be held here: %s; take the limit out, or run Sluice where it can", e.What, e.Why)
}
