package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/sandbox"
)

func newSandboxCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Be a local RootFi, HubSpot, Salesforce or small API, for demos, tests and load",
		Args:  exactArgs(0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSandboxServeCommand(), newSandboxRunCommand(), newSandboxHubSpotCommand(), newSandboxSalesforceCommand(), newSandboxDocumentsCommand())
	return cmd
}

// sandboxFlags are the flags that serve and run share.
type sandboxFlags struct {
	options     sandbox.Options
	faults      []string
	generations []string
}

func (f *sandboxFlags) register(cmd *cobra.Command, recordsFlag string) {
	flags, o := cmd.Flags(), &f.options
	flags.Uint64Var(&o.Seed, "seed", 1, "what is made and sent follows from the seed")
	flags.IntVar(&o.Companies, "companies", 1, "number of companies")
	flags.IntVar(&o.Records, recordsFlag, 500, "records per company in the initial sync, at least 60")
	flags.StringSliceVar(&f.generations, "generations", []string{"v3b"}, "shapes of bodies to mix: v2, v3a, v3b")
	flags.StringSliceVar(&f.faults, "faults", []string{"none"}, "faults to play: duplicates, reorder, late, bursts; or all, none")
	flags.IntVar(&o.RecordsPerWebhook.Min, "min-per-webhook", 1, "fewest records in a webhook")
	flags.IntVar(&o.RecordsPerWebhook.Max, "max-per-webhook", 10, "most records in a webhook")
	flags.Float64Var(&o.Rate, "rate", 0, "events per second; 0: as fast as they are taken")
	flags.IntVar(&o.Concurrency, "concurrency", 16, "connections")
	flags.IntVar(&o.Retries, "retries", 3, "retries of a webhook before it is given up")
	flags.DurationVar(&o.RetryBase, "retry-base", time.Second, "wait before the first retry; it doubles")
	flags.DurationVar(&o.Timeout, "timeout", 10*time.Second, "wait for an answer")
}

func (f *sandboxFlags) parse() (err error) {
	if f.options.Faults, err = sandbox.ParseFaults(f.faults); err != nil {
		return &usageError{fmt.Errorf("--faults: %w", err)}
	}
	if f.options.Generations, err = sandbox.ParseGenerations(f.generations); err != nil {
		return &usageError{fmt.Errorf("--generations: %w", err)}
	}
	if f.options.Retries == 0 {
		f.options.Retries = -1 // none: zero asks for the default
	}
	return nil
}

func newSandboxServeCommand() *cobra.Command {
	var f sandboxFlags
	var listen, apiKey string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API of a local RootFi: webhooks, syncs and reads",
		Long: `Serve a subset of RootFi's API v3 over made-up companies. Create a webhook with
POST /v3/core/webhooks, start a sync with POST /v3/core/syncs, read records under
/v3/accounting/, and the state that a receiver must hold under /sandbox/expected.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.parse(); err != nil {
				return err
			}
			if apiKey == "" {
				return &usageError{errors.New("--api-key must not be empty")}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return serveSandbox(ctx, cmd.OutOrStdout(), listen, apiKey, f.options)
		},
	}
	f.register(cmd, "scale")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:9090", "address of the API; port 0 takes a free one")
	cmd.Flags().StringVar(&apiKey, "api-key", "sandbox", "what callers send in the header api_key")
	return cmd
}

func serveSandbox(ctx context.Context, w io.Writer, listen, apiKey string, o sandbox.Options) error {
	api := sandbox.NewServer(o, apiKey)
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	base := "http://" + listener.Addr().String()
	fmt.Fprintf(w, "sandbox API on %s\n\n", base)
	table(w, "COMPANY INTEGRATION RECORDS NAME", func(row func(...any)) {
		for _, c := range api.Companies() {
			row(c.ID, c.Integration, c.Records, c.Name)
		}
	})
	fmt.Fprintf(w, `
create a webhook  curl -H "api_key: $KEY" %[1]s/v3/core/webhooks -d '{"webhook":{"name":"mine","url":"http://127.0.0.1:8080/webhooks/rootfi","type":"DATA_MODEL_CHANGES","operations":["CREATE","UPDATE","DELETE"],"data_models":[],"headers":{}}}'
start a sync      curl -H "api_key: $KEY" %[1]s/v3/core/syncs -d '{"company_id":%[2]d,"full_sync":false}'
expected state    curl -H "api_key: $KEY" %[1]s/sandbox/expected
`, base, api.Companies()[0].ID)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{Handler: api, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute}
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(listener)
		cancel()
	}()
	runErr := api.Run(ctx)
	shutdown, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	shutdownErr := server.Shutdown(shutdown)
	serveErr := <-served
	if errors.Is(serveErr, http.ErrServerClosed) {
		serveErr = nil
	}
	return errors.Join(runErr, shutdownErr, serveErr)
}

func newSandboxRunCommand() *cobra.Command {
	var f sandboxFlags
	var to, expected string
	var headers, phases []string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Play a script of webhooks to a receiver and say what became of them",
		Long: `Set up a webhook for everything, play the script to the receiver, and end when every
webhook was acknowledged or given up. The exit status is 1 if any was given up.`,
		Example: `  sluice sandbox run --to http://127.0.0.1:8080/webhooks/rootfi --header 'api_key: secret' --records 5000 --faults all`,
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := f.parse(); err != nil {
				return err
			}
			if f.options.Phases, err = sandbox.ParsePhases(phases); err != nil {
				return &usageError{fmt.Errorf("--phases: %w", err)}
			}
			target := sandbox.Target{URL: to}
			if target.Headers, err = parseHeaders(headers); err != nil {
				return &usageError{fmt.Errorf("--header: %w", err)}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return runSandbox(ctx, cmd, target, expected, f.options)
		},
	}
	f.register(cmd, "records")
	cmd.Flags().StringVar(&to, "to", "", "URL of the receiver, such as http://127.0.0.1:8080/webhooks/rootfi")
	cmd.Flags().StringArrayVar(&headers, "header", nil, "header of every request, as 'name: value'; may be given again")
	cmd.Flags().StringSliceVar(&phases, "phases", []string{"initial", "incremental", "full"}, "phases to play, in order")
	cmd.Flags().StringVar(&expected, "expected", "", "write the state that the receiver must end in to this file, as JSON")
	return cmd
}

func runSandbox(ctx context.Context, cmd *cobra.Command, to sandbox.Target, expected string, o sandbox.Options) error {
	if to.URL == "" {
		return &usageError{errors.New("--to: give the URL of the receiver")}
	}
	sb := sandbox.New(o)
	if expected != "" {
		text, err := json.MarshalIndent(sb.Expected(), "", " ")
		if err != nil {
			return fmt.Errorf("expected state: %w", err)
		}
		if err := os.WriteFile(expected, append(text, '\n'), 0o600); err != nil {
			return fmt.Errorf("expected state: %w", err)
		}
	}
	report, err := sb.Play(ctx, to)
	if err != nil && report.Sent == 0 {
		return fmt.Errorf("sandbox: %w", err)
	}
	f := shared{output: outputOf(cmd)}
	if err := f.show(cmd.OutOrStdout(), report, func(w io.Writer) { printReport(w, &report) }); err != nil {
		return err
	}
	switch {
	case err != nil:
		return fmt.Errorf("sandbox: stopped before the end: %w", err)
	case len(report.GaveUp) > 0:
		return fmt.Errorf("sandbox: %d webhooks were given up: is the receiver up, and are its URL and headers right?", len(report.GaveUp))
	}
	return nil
}

func outputOf(cmd *cobra.Command) string {
	if flag := cmd.Flag("output"); flag != nil {
		return flag.Value.String()
	}
	return "text"
}

func parseHeaders(lines []string) (map[string]string, error) {
	out := make(map[string]string, len(lines))
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			// The text may hold a secret: it is not repeated.
			return nil, errors.New("write it as 'name: value'")
		}
		out[name] = strings.TrimSpace(value)
	}
	return out, nil
}

func printReport(w io.Writer, r *sandbox.Report) {
	table(w, "MODEL WEBHOOKS CHANGES UNCHANGED DELETES RECORDS DELETED", func(row func(...any)) {
		for _, m := range r.Models {
			row(m.Model, m.Webhooks, m.Changes, m.Unchanged, m.Deletes, m.Records, m.Deleted)
		}
	})
	perSecond := 0.0
	if r.Elapsed > 0 {
		perSecond = float64(r.Sent) / r.Elapsed.Seconds()
	}
	fmt.Fprintf(w, "\nwebhooks      %d, %.1f MB\n", r.Events, float64(r.Bytes)/1e6)
	fmt.Fprintf(w, "sent          %d in %s (%.0f/s): %d retries, %d duplicates, %d answers ignored as late\n",
		r.Sent, r.Elapsed.Round(time.Millisecond), perSecond, r.Retries, r.Duplicates, r.Late)
	fmt.Fprintf(w, "acknowledged  %d\n", r.Acknowledged)
	fmt.Fprintf(w, "latency       p50 %s, p99 %s, max %s\n",
		r.Latency.P50.Round(time.Microsecond), r.Latency.P99.Round(time.Microsecond), r.Latency.Max.Round(time.Microsecond))
	fmt.Fprintf(w, "gave up       %d\n", len(r.GaveUp))
	const shown = 20
	for i, f := range r.GaveUp {
		if i == shown {
			fmt.Fprintf(w, "  and %d more\n", len(r.GaveUp)-shown)
			break
		}
		fmt.Fprintf(w, "  %s after %d attempts: status %d %s\n", f.ID, f.Attempts, f.Status, f.Cause)
	}
}
