package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/julienschmidt/httprouter"
)

// Configuration is what the API asks of a process about its configuration.
type Configuration interface {
	// Active says which configuration is in force.
	Active() ActiveConfiguration
	// Reload reads the configuration again and takes it over, or changes nothing.
	Reload(ctx context.Context) Reload
}

// ActiveConfiguration is the configuration in force, and what became of the last
// attempt to replace it.
type ActiveConfiguration struct {
	Path     string    `json:"path"`
	Revision string    `json:"revision"`
	LoadedAt time.Time `json:"loaded_at"`
	// Refused is the last attempt, if it changed nothing because of a problem.
	Refused *Refused `json:"refused,omitempty"`
}

// Refused is an attempt to take over a configuration that failed.
type Refused struct {
	At      time.Time `json:"at"`
	Problem string    `json:"problem"` // one line; the whole is in the log
}

// Reload says what a reload did.
type Reload struct {
	Revision string `json:"revision"` // in force now
	Applied  bool   `json:"applied"`  // false: nothing was to be changed, or it was refused
	// Error says why it was refused; Problems are the places in the files.
	Error    string          `json:"error,omitempty"`
	Problems json.RawMessage `json:"problems,omitempty"`
	Added    []string        `json:"added,omitempty"`   // destinations
	Changed  []string        `json:"changed,omitempty"` // destinations whose plugin was restarted
	Removed  []string        `json:"removed,omitempty"` // destinations
}

func (a *api) reload(r *http.Request, _ httprouter.Params) (any, error) {
	return a.o.Process.Reload(r.Context()), nil
}

// Reload has the server take over its configuration as it is on disk now.
func (c *Client) Reload(ctx context.Context) (Reload, error) {
	var out Reload
	return out, c.do(ctx, http.MethodPost, "/api/v1/config/reload", struct{}{}, &out)
}
