package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/serve"
)

// table is where the memory destination writes; it outlives the destination.
type table struct {
	mu       sync.Mutex
	versions map[string]int64
	rows     map[string]map[string]string // by object and key
	order    []string
	fault    conformance.Fault
	calls    int           // since the fault began
	token    int           // the one that is good
	healed   chan struct{} // closed at the end of a hang
}

// tables by the name in the settings.
type tables struct {
	mu   sync.Mutex
	all  map[string]*table
	next int
}

func (ts *tables) get(name string) *table {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.all[name] == nil {
		ts.all[name] = &table{versions: map[string]int64{}, rows: map[string]map[string]string{}, healed: make(chan struct{})}
	}
	return ts.all[name]
}

type settings struct {
	Table string `json:"table"`
	Token string `json:"token,omitempty" jsonschema:"writeOnly=true"`
}

// memory is a correct destination, unless it is broken on purpose: then broken
// is the name of the case that has to notice.
type memory struct {
	tables *tables
	broken string
	table  *table
	token  int
	log    strings.Builder
	files  []*os.File
	closed chan struct{}
}

func (m *memory) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name: "memory", Version: "1", ConfigSchema: serve.Schema[settings](), MaxBatchRecords: 100,
		Capabilities: []destination.Capability{
			destination.CapabilityCheck, destination.CapabilityDryRun,
			destination.CapabilityRecords, destination.CapabilityChanges, destination.CapabilityEvents,
		},
	}, nil
}

func (m *memory) Configure(_ context.Context, raw json.RawMessage) error {
	s, err := serve.Decode[settings](raw)
	if m.broken == "bad_settings" {
		err = nil
	}
	if err != nil {
		return err
	}
	if m.broken == "log_secrets" {
		fmt.Fprintf(&m.log, "configured with %s\n", s.Token)
	}
	if s.Token != "" && s.Token != "good enough" && s.Token != "r3v0ked t0ken" {
		text := "the token is not valid"
		if m.broken == "secrets" {
			text += ": " + s.Token
		}
		return errors.New(text)
	}
	m.table = m.tables.get(s.Table)
	m.table.mu.Lock()
	defer m.table.mu.Unlock()
	m.token = m.table.token
	if s.Token == "r3v0ked t0ken" && m.broken != "wrong_credentials" {
		m.token = -1
	}
	closed := make(chan struct{})
	m.closed = closed
	if m.broken == "goroutines" {
		go func() { <-context.Background().Done() }()
	}
	go func() { <-closed }()
	return nil
}

func (m *memory) Close() error {
	if m.closed != nil {
		close(m.closed)
		m.closed = nil
	}
	for _, f := range m.files {
		_ = f.Close()
	}
	return nil
}

func (m *memory) Check(context.Context) error {
	if m.token < 0 {
		return &destination.Failure{Kind: destination.Misconfigured, Code: "TOKEN", Err: errors.New("the token was revoked: make a new one")}
	}
	return nil
}

func (m *memory) DryRun(_ context.Context, b destination.Batch) ([]string, error) {
	return []string{fmt.Sprintf("%d records", len(b.Records))}, nil
}

func (m *memory) Write(ctx context.Context, b destination.Batch) ([]destination.Result, error) {
	if err := m.Check(ctx); err != nil {
		return nil, err
	}
	if m.broken == "log_contents" {
		fmt.Fprintln(&m.log, "writing", b.Records)
	}
	if m.broken == "handles" {
		if f, err := os.Open(os.DevNull); err == nil {
			m.files = append(m.files, f)
		}
	}
	m.table.mu.Lock()
	defer m.table.mu.Unlock()
	if m.broken == "cancel" {
		ctx = context.WithoutCancel(ctx)
		b.Records = b.Records[:1]
	}
	if m.broken == "batch_over_limit" && len(b.Records) > 100 {
		return nil, &destination.Failure{Kind: destination.Rejected, Err: errors.New("too many records")}
	}
	results := make([]destination.Result, len(b.Records))
	for i, r := range b.Records {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var ill bool
		if results[i], ill = m.trouble(ctx); ill {
			continue
		}
		results[i] = m.write(b, r)
		if m.broken == "bad_record" && results[i].Kind != destination.Delivered {
			return nil, errors.New("the whole batch failed")
		}
	}
	return results, nil
}

// trouble answers for the system behind, if that misbehaves.
func (m *memory) trouble(ctx context.Context) (destination.Result, bool) {
	f := m.table.fault
	switch f.Kind {
	case conformance.FaultThrottle:
		r := destination.Result{Kind: destination.Throttled, Until: time.Now().Add(f.RetryAfter)}
		switch {
		case m.broken == "throttle" && f.RetryAfter > 0:
			r.Until = r.Until.Add(time.Minute)
		case m.broken == "throttle_without_end":
			r.Until = time.Time{}
		}
		return r, true
	case conformance.FaultOutage:
		if m.broken == "outage" {
			return destination.Result{Kind: destination.Rejected}, true
		}
		return destination.Result{}, true
	case conformance.FaultExpiry:
		if m.table.calls++; m.table.calls > f.After && m.table.calls == f.After+1 {
			m.table.token++
		}
		if m.token != m.table.token {
			if m.broken == "token_expiry" {
				return destination.Result{Kind: destination.Misconfigured}, true
			}
			m.token = m.table.token
		}
	case conformance.FaultHang:
		healed := m.table.healed
		m.table.mu.Unlock()
		defer m.table.mu.Lock()
		if m.broken == "hang" {
			ctx = context.WithoutCancel(ctx)
		}
		select {
		case <-ctx.Done():
		case <-healed:
		}
		return destination.Result{}, true
	}
	return destination.Result{}, false
}

func (m *memory) write(b destination.Batch, r destination.Record) destination.Result {
	key := b.Object + "\x00" + strings.Join(r.Key, "\x00")
	version := r.Version
	switch r.Operation {
	case destination.Append:
		key, version = b.Object+"\x00"+r.IdempotencyKey, 1
		if m.broken == "changes_repeat" || m.broken == "changes_crash" && len(m.table.order) >= 50 {
			key += fmt.Sprint(len(m.table.order))
		}
	case destination.Upsert, destination.Delete:
	default:
		return destination.Result{Kind: destination.Rejected, Code: "OPERATION"}
	}
	for _, v := range r.Fields {
		if strings.Contains(string(v), `\u0000`) {
			return destination.Result{Kind: destination.Rejected, Code: "NUL"}
		}
	}
	known, seen := m.table.versions[key]
	if seen && version <= known && m.broken != "older_version" {
		return destination.Result{Kind: destination.Delivered}
	}
	if !seen {
		m.table.order = append(m.table.order, key)
	}
	m.table.versions[key] = version
	if m.broken == "crash" && !seen {
		return destination.Result{Kind: destination.Delivered} // the version is kept, what belongs to it is not
	}
	row := m.table.rows[key]
	if row == nil {
		row = map[string]string{}
		m.table.rows[key] = row
	}
	for i, name := range b.KeyFields {
		row[name] = r.Key[i]
	}
	delete(row, "_deleted_at")
	if r.Operation == destination.Delete {
		row["_deleted_at"] = "now"
		return destination.Result{Kind: destination.Delivered}
	}
	if m.broken == "partial" {
		maps.DeleteFunc(row, func(name, _ string) bool { return name[0] != '_' })
		maps.DeleteFunc(r.Fields, func(name string, _ json.RawMessage) bool { return !slices.Contains(r.Changed, name) })
	}
	for name, v := range r.Fields {
		row[name] = m.text(v)
		if string(v) == "null" && m.broken != "null" {
			delete(row, name)
		}
	}
	return destination.Result{Kind: destination.Delivered}
}

func (m *memory) text(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	if m.broken == "decimals" {
		var f float64
		if json.Unmarshal(v, &f) == nil {
			return fmt.Sprint(f)
		}
	}
	return string(v)
}
