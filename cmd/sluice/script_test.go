package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sluicehq/sluice/internal/demo"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/proc"
	"github.com/sluicehq/sluice/plugins/host"
)

// scripted are the plugins that the scripts use.
var scripted = []string{"file", "hubspot", "salesforce", "sqlite", "webhook"}

func TestMain(m *testing.M) {
	testscript.Main(withPlugins{m}, map[string]func(){"sluice": main})
}

// withPlugins builds the plugins once, before the tests, and not when the test
// binary plays the part of sluice.
type withPlugins struct{ m *testing.M }

const pluginsVariable = "SLUICE_TEST_PLUGINS"

func (w withPlugins) Run() int {
	dir, err := buildPlugins()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv(pluginsVariable, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return w.m.Run()
}

func buildPlugins() (string, error) {
	dir, err := os.MkdirTemp("", "sluice-plugins-")
	if err != nil {
		return "", err
	}
	for _, name := range scripted {
		file := filepath.Join(dir, host.Prefix+name)
		cmd := exec.Command("go", "build", "-trimpath", "-o", file, "github.com/sluicehq/sluice/plugins/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", errors.Join(fmt.Errorf("build plugin %s: %w\n%s", name, err, out), os.RemoveAll(dir))
		}
		if err := os.Chmod(file, 0o755); err != nil { // whatever the umask is
			return "", err
		}
	}
	return dir, nil
}

// TestScripts runs one script for each behaviour that users see.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PLUGINS", os.Getenv(pluginsVariable))
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ports":    ports,
			"expand":   expand,
			"ready":    ready,
			"answers":  answers,
			"drained":  drained,
			"request":  request,
			"receiver": receiver,
			"until":    until,
			"status":   status,
			"capture":  capture,
		},
	})
}

// ports sets each variable to a loopback address with a port that is free.
func ports(ts *testscript.TestScript, neg bool, names []string) {
	if neg || len(names) == 0 {
		ts.Fatalf("usage: ports NAME…")
	}
	addresses, err := proc.FreePorts(len(names))
	ts.Check(err)
	for i, name := range names {
		ts.Setenv(name, addresses[i])
	}
}

// expand puts the values of variables ($NAME) into a file.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	// ${NAME} is left: it is the configuration's own way to name a variable.
	text := regexp.MustCompile(`\$[A-Z]+\b`).ReplaceAllStringFunc(ts.ReadFile(args[0]), func(v string) string {
		return ts.Getenv(v[1:])
	})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// patience is for the slowest machine that tests run on.
const patience = 2 * time.Minute

// ready waits until the server whose admin listener is at the address has
// everything it needs.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready ADDRESS")
	}
	c := admin.NewClient(args[0], "")
	var last any
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got, err := c.Ready(context.Background())
		if err == nil && got.Status == admin.StatusReady {
			return
		}
		if last = got; err != nil {
			last = err
		}
	}
	ts.Fatalf("the server at %s is not ready: %v", args[0], last)
}

// answers waits until somebody answers at the URL.
func answers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: answers URL")
	}
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var res *http.Response
		if res, err = http.Get(args[0]); err == nil {
			res.Body.Close()
			return
		}
	}
	ts.Fatalf("nobody answers: %v", err)
}

// drained waits until the server has delivered, or given up, what it accepted.
func drained(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: drained ADDRESS")
	}
	_, err := demo.Drained(context.Background(), admin.NewClient(args[0], ""), patience)
	ts.Check(err)
}

// request makes an HTTP request and prints status and body: request METHOD URL
// [BODY-FILE] [HEADER: VALUE]…
func request(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: request METHOD URL [BODY-FILE] [HEADER: VALUE]…")
	}
	var body io.Reader
	header := http.Header{}
	for _, a := range args[2:] {
		if name, value, ok := strings.Cut(a, ": "); ok {
			header.Set(name, value)
		} else {
			body = strings.NewReader(ts.ReadFile(a))
			header.Set("Content-Type", "application/json")
		}
	}
	req, err := http.NewRequest(args[0], args[1], body)
	ts.Check(err)
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d\n%s\n", res.StatusCode, text)
}

// receiver starts an HTTP server and sets the variable to its URL. It answers
// 200 until `status` says something else.
func receiver(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: receiver NAME")
	}
	answer := new(atomic.Int64)
	answer.Store(http.StatusOK)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		code := int(answer.Load())
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, "said by the receiver: %d", code)
	}))
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.URL)
	receivers.Store(s.URL, answer)
}

// receivers holds what the receivers of all scripts answer, by URL.
var receivers sync.Map

func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: status URL CODE")
	}
	answer, ok := receivers.Load(args[0])
	if !ok {
		ts.Fatalf("there is no receiver at %s", args[0])
	}
	code, err := strconv.Atoi(args[1])
	ts.Check(err)
	answer.(*atomic.Int64).Store(int64(code))
}

// until runs a command again until its standard output matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND…")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Second) {
		_ = ts.Exec(args[1], args[2:]...) // it may fail at first
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("%v never printed %s", args[1:], args[0])
}

// capture sets a variable to the first group of a match in the last standard
// output.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME PATTERN")
	}
	m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("%s does not match, or has no group", args[1])
	}
	ts.Setenv(args[0], m[1])
}
