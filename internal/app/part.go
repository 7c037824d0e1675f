package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/config"
)

// The roles of an instance.
const (
	RoleEndpoint   = "endpoint"   // accept webhooks
	RoleDispatcher = "dispatcher" // start workflows
	RoleWorker     = "worker"     // merge, and deliver to destinations
)

// Roles lists all roles, in the direction of the data's way.
func Roles() []string { return []string{RoleEndpoint, RoleDispatcher, RoleWorker} }

// Part says what an instance does of the whole work. The zero value is all of it.
type Part struct {
	Roles        []string // none: all
	Destinations []string // that the worker delivers to; none: all
}

func (p Part) has(role string) bool { return len(p.Roles) == 0 || slices.Contains(p.Roles, role) }

// serves reports whether this instance delivers to the destination.
func (p Part) serves(destination string) bool {
	return p.has(RoleWorker) && (len(p.Destinations) == 0 || slices.Contains(p.Destinations, destination))
}

// destinations lists those that this instance delivers to.
func (p Part) destinations(c *config.Config) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(c.Destinations)), func(name string) bool { return !p.serves(name) })
}

// Check reports a part that the configuration does not allow, and says what to do.
func (p Part) Check(c *config.Config) error {
	for _, role := range p.Roles {
		if !slices.Contains(Roles(), role) {
			return fmt.Errorf("--roles: there is no role %q%s", role, suggest(role, Roles()))
		}
	}
	configured := slices.Sorted(maps.Keys(c.Destinations))
	for _, name := range p.Destinations {
		if !slices.Contains(configured, name) {
			return fmt.Errorf("--destinations: there is no destination %q%s", name, suggest(name, configured))
		}
	}
	if len(p.Destinations) > 0 && !p.has(RoleWorker) {
		return fmt.Errorf("--destinations is for instances with the role %s: leave it out, or add the role", RoleWorker)
	}
	flag := p.restriction(configured)
	switch {
	case flag == "":
		return nil
	case c.Ledger.Postgres == nil:
		return fmt.Errorf("%s leaves work to other instances, and a ledger in SQLite is for one process: leave the flag out, or set ledger.postgres", flag)
	case c.Temporal.Address == "":
		return fmt.Errorf("%s leaves work to other instances, and the embedded Temporal is for one process: leave the flag out, or set temporal.address", flag)
	default:
		return nil
	}
}

// restriction is the flag that leaves something to other instances.
func (p Part) restriction(configured []string) string {
	for _, role := range Roles() {
		if !p.has(role) {
			return "--roles"
		}
	}
	for _, name := range configured {
		if !p.serves(name) {
			return "--destinations"
		}
	}
	return ""
}

func suggest(word string, known []string) string {
	if got, ok := config.Nearest(word, known); ok {
		return ": did you mean " + got + "?"
	}
	if len(known) == 0 {
		return ""
	}
	return ": known are " + strings.Join(known, ", ")
}
