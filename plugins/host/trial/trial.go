// Package trial runs a plugin under observation: as Sluice does, in a process of
// its own, with its log kept and the power to kill it. It is what the conformance
// cases call a Process. It does not restart anything.
package trial

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/sluicehq/sluice/plugins/host"
)

// Process is a destination in a child process. Close stops the process, Kill does
// so without asking.
type Process struct {
	*host.Client
	log *log
}

// Start starts the plugin at path. What it logs goes to o.Logger too, if there
// is one.
func Start(ctx context.Context, path string, o host.OpenOptions) (*Process, error) {
	kept := new(log)
	var all slog.Handler = slog.NewTextHandler(kept, &slog.HandlerOptions{Level: slog.LevelDebug})
	if o.Logger != nil {
		all = slog.NewMultiHandler(all, o.Logger.Handler())
	}
	o.Logger = slog.New(all)
	c, err := host.Open(ctx, path, o)
	if err != nil {
		return nil, err
	}
	return &Process{Client: c, log: kept}, nil
}

// Close implements io.Closer.
func (p *Process) Close() error {
	p.Client.Close(context.Background())
	return nil
}

// Log is what the plugin has logged so far, from the level debug on.
func (p *Process) Log() string { return p.log.String() }

// log is a text that grows.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
