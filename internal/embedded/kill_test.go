//go:build !slim

package embedded

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const childDir = "EMBEDDED_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		serveUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// serveUntilKilled is the child of the test below: a server that prints its
// address.
func serveUntilKilled(dir string) {
	s, err := Start(context.Background(), Options{Dir: dir, Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("address", s.Address())
	select {}
}

// waits runs until it is told to go on, with a step before and after.
func waits(ctx workflow.Context, name string) (string, error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{ScheduleToCloseTimeout: 10 * time.Second})
	step := func(context.Context) error { return nil }
	if err := workflow.ExecuteLocalActivity(ctx, step).Get(ctx, nil); err != nil {
		return "", err
	}
	workflow.GetSignalChannel(ctx, "go on").Receive(ctx, nil)
	if err := workflow.ExecuteLocalActivity(ctx, step).Get(ctx, nil); err != nil {
		return "", err
	}
	return "done " + name, nil
}

// A killed server loses no workflow whose start it has confirmed.
func TestSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "address ")
	if err != nil || !ok {
		t.Fatalf("child: %q, %v", line, err)
	}
	c, err := client.DialContext(t.Context(), client.Options{HostPort: address, Logger: quietLog})
	if err != nil {
		t.Fatal(err)
	}
	w := work(t, c, "q", func(w worker.Worker) { w.RegisterWorkflow(waits) })

	// Starts keep coming while the server dies.
	var confirmed atomic.Int64
	over := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer close(over)
		for i := range 10_000 {
			_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: fmt.Sprint("w", i), TaskQueue: "q"}, waits, fmt.Sprint(i))
			if err != nil {
				return
			}
			confirmed.Add(1)
		}
	}()
	eventually(t, func() bool { return confirmed.Load() >= 50 })
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	cancel()
	<-over
	w.Stop()
	c.Close()

	s := start(t, Options{Dir: dir})
	c = dial(t, s)
	work(t, c, "q", func(w worker.Worker) { w.RegisterWorkflow(waits) })
	for i := range int(confirmed.Load()) {
		id := fmt.Sprint("w", i)
		if err := c.SignalWorkflow(t.Context(), id, "", "go on", nil); err != nil {
			t.Fatalf("workflow %s after the kill: %v", id, err)
		}
	}
	for i := range int(confirmed.Load()) {
		var got string
		if err := c.GetWorkflow(t.Context(), fmt.Sprint("w", i), "").Get(t.Context(), &got); err != nil || got != fmt.Sprint("done ", i) {
			t.Fatalf("workflow w%d = %q, %v", i, got, err)
		}
	}
	// What the visibility store had not been told is told after the restart.
	eventually(t, func() bool {
		got, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: `ExecutionStatus = "Completed"`})
		return err == nil && got.GetCount() == confirmed.Load()
	})
}
