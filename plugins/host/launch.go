package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/wire"
)

// The defaults of how long a process may take.
const (
	defaultStartTimeout = 30 * time.Second
	defaultGrace        = 10 * time.Second
)

// passedOn are the host's own variables that a plugin gets. Everything else,
// credentials above all, has to be named in the configuration. HOME is not
// among them: credentials lie there too.
var passedOn = []string{"PATH", "TMPDIR", "TZ", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR"}

// OpenOptions are the options of [Open]. The zero value is usable.
type OpenOptions struct {
	SHA256  string            // hexadecimal; empty accepts the file as it is
	Env     map[string]string // beside the few that every plugin gets
	Dir     string            // working directory; empty: the host's
	Logger  *slog.Logger      // gets the plugin's log; nil: nowhere
	Timeout time.Duration     // for the start; 0: 30 s
	Grace   time.Duration     // for a stop before it is a kill; 0: 10 s
	Limits  Limits
}

// ChecksumError says that a plugin's file is not the expected one.
type ChecksumError struct {
	Path, Want, Got string
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("checksum of %s is %s, not %s: if the file was replaced on purpose, run sluice plugins lock or change the pinned sha256, and reload",
		e.Path, e.Got, e.Want)
}

// Open starts the plugin at path and connects to it. It is not configured yet.
// The process outlives ctx, which bounds the start only; Close ends it.
func Open(ctx context.Context, path string, o OpenOptions) (*Client, error) {
	p, err := openProgram(path)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	defer p.Close()
	return p.open(ctx, o)
}

func (p *program) open(ctx context.Context, o OpenOptions) (*Client, error) {
	if err := p.verify(o.SHA256); err != nil {
		if _, ok := errors.AsType[*ChecksumError](err); ok {
			return nil, err
		}
		return nil, fmt.Errorf("start: %w", err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Timeout = cmp.Or(o.Timeout, defaultStartTimeout)

	env, err := environment(o)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	cmd, err := p.command()
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	cmd.Dir = o.Dir
	printed, stderr := newLineLogger(o.Logger), newLineLogger(o.Logger)
	c := newChild(cmd, stderr)
	if c.confinement, err = confine(o.Limits, strings.TrimPrefix(filepath.Base(p.path), Prefix), cmd, o.Logger); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.Plugins(nil),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true, // without it the host's variables reach the plugin, and win
		StartTimeout:     o.Timeout,
		Logger:           libraryLogger(o.Logger),
		SyncStdout:       printed,
		SyncStderr:       printed,
		GRPCDialOptions:  wire.DialOptions(),
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: socketDir()},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
			cmd.Env = append(env, spec.Env...)
			return c, nil
		},
	})
	defer context.AfterFunc(ctx, func() { _ = c.Kill(ctx) })()

	rpc, err := connect(client)
	if err != nil {
		err = startError(c, err, o.Timeout)
		client.Kill()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("start: %w", err)
	}
	return &Client{rpc: rpc, child: c, plugin: client, printed: printed, grace: cmp.Or(o.Grace, defaultGrace)}, nil
}

func connect(client *plugin.Client) (*wire.Client, error) {
	protocol, err := client.Client()
	if err != nil {
		return nil, err
	}
	raw, err := protocol.Dispense(wire.Name)
	if err != nil {
		return nil, err
	}
	rpc, ok := raw.(*wire.Client)
	if !ok {
		return nil, fmt.Errorf("unexpected client %T", raw)
	}
	return rpc, nil
}

var versionMismatch = regexp.MustCompile(`^incompatible API version with plugin\. Plugin version: (\d+)`)

// startError says in our words what go-plugin says in many lines.
func startError(c *child, err error, timeout time.Duration) error {
	select {
	case <-c.done:
		if !c.killed.Load() {
			return fmt.Errorf("the process ended before it was ready (%w); its output is in the log", c.cause)
		}
	default:
	}
	text := err.Error()
	if m := versionMismatch.FindStringSubmatch(text); m != nil {
		speaks := slices.Sorted(maps.Keys(wire.Plugins(nil)))
		return fmt.Errorf("the plugin speaks protocol version %s and this Sluice %v: install a plugin built for it", m[1], speaks)
	}
	switch {
	case strings.HasPrefix(text, "timeout while waiting"):
		return fmt.Errorf("the process was not ready within %v", timeout)
	case strings.HasPrefix(text, "Unrecognized remote plugin message"):
		return errors.New("the process did not answer as a destination plugin does")
	}
	return err
}

// environment is what the plugin sees, without what go-plugin adds to it.
func environment(o OpenOptions) ([]string, error) {
	var env []string
	for _, name := range passedOn {
		if _, set := o.Env[name]; set {
			continue
		}
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(o.Env[name], 0) {
			return nil, fmt.Errorf("environment variable %q cannot be set", name)
		}
		env = append(env, name+"="+o.Env[name])
	}
	env = append(env, o.Limits.environment(o.Env)...)
	level := slog.LevelError
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if o.Logger.Enabled(context.Background(), l) {
			level = l
			break
		}
	}
	return append(env, wire.EnvLifeline+"=stdin", wire.EnvLogLevel+"="+level.String()), nil
}

// socketDir is where the socket's directory is made. The path of a socket is
// limited to about 100 bytes, which a long TMPDIR would exceed.
func socketDir() string {
	const room = 50
	if len(os.TempDir()) <= room {
		return ""
	}
	return "/tmp"
}

// Inspect starts the plugin at path, asks what it is, and stops it.
func Inspect(ctx context.Context, path string) (destination.Description, error) {
	c, err := Open(ctx, path, OpenOptions{})
	if err != nil {
		return destination.Description{}, fmt.Errorf("inspect %s: %w", path, err)
	}
	defer c.Close(ctx)
	d, err := c.Describe(ctx)
	if err != nil {
		return destination.Description{}, fmt.Errorf("inspect %s: describe: %w", path, err)
	}
	return d, nil
}
