package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/payloads"
	"github.com/sluicehq/sluice/internal/rehearsal"
)

func newRoutesCommand(f *shared) *cobra.Command {
	cmd := &cobra.Command{Use: "routes", Short: "Look at what the routes do"}
	cmd.AddCommand(newRoutesExplain(f))
	return cmd
}

func newRoutesExplain(f *shared) *cobra.Command {
	var file, source, past string
	offline := false
	cmd := &cobra.Command{
		Use: "explain", Short: "Show the way of one event: each route's verdict, and what each destination gets",
		Long: "Show the way of one event: each route with matched or why not, what each destination gets exactly as its plugin would, " +
			"and the statements or requests that the plugin would send, where it can tell. Nothing is written.\n\n" +
			"The event is a file (--event, - for standard input), or a past one that the running server is asked for " +
			"(--from-ledger): then the records are shown as they are now.",
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (file == "") == (past == "") {
				return wrongUse(cmd, "give either --event or --from-ledger")
			}
			conf, on, err := f.rehearsal(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			in := rehearsal.Input{Source: source}
			var treated string
			if past != "" {
				treated, err = fromLedger(cmd.Context(), conf, on, past, &in)
			} else {
				in.Body, err = readBody(cmd.InOrStdin(), file)
			}
			if err != nil {
				return err
			}
			if !offline {
				plugins := app.NewProbe(conf)
				defer plugins.Close(context.WithoutCancel(cmd.Context()))
				in.DryRun = plugins.DryRun
			}
			out, err := on.Explain(cmd.Context(), in)
			if err != nil {
				return fmt.Errorf("explain: %w", err)
			}
			out.Revision, out.Treated = conf.Revision, treated
			return f.show(cmd.OutOrStdout(), out, func(w io.Writer) { printExplanation(w, out) })
		},
	}
	cmd.Flags().StringVar(&file, "event", "", "file with the body of a webhook; - for standard input")
	cmd.Flags().StringVar(&past, "from-ledger", "", "id of a past event, to be explained under the configuration as it is now")
	cmd.Flags().StringVar(&source, "source", "", "name of the source (default: the only one)")
	cmd.Flags().BoolVar(&offline, "offline", false, "start no plugins, so that none may reach for its destination")
	return cmd
}

// rehearsal prepares the configuration for events to be put through. Secrets are
// not needed for that.
func (f *shared) rehearsal(stderr io.Writer) (*config.File, *rehearsal.Rehearsal, error) {
	loader := f.loader()
	loader.Lenient = true
	file, err := loader.Load(f.configPath)
	if errors.Is(err, fs.ErrNotExist) && file == nil {
		return nil, nil, fmt.Errorf("%w (name the configuration with -c)", err)
	}
	if ds, ok := errors.AsType[config.Diagnostics](err); ok {
		fmt.Fprintln(stderr, ds.Report())
		return nil, nil, errReported
	}
	if err != nil {
		return nil, nil, err
	}
	on, err := rehearsal.New(file.Config, payloads.ByFormat())
	return file, on, err
}

const largestBody = 32 << 20

func readBody(stdin io.Reader, name string) ([]byte, error) {
	from := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read the event: %w", err)
		}
		defer file.Close()
		from = file
	}
	body, err := io.ReadAll(io.LimitReader(from, largestBody+1))
	if err == nil && len(body) > largestBody {
		err = fmt.Errorf("it is larger than %d bytes", largestBody)
	}
	if err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	return body, nil
}

// fromLedger asks the running server for an event and the records it speaks of.
// It returns the revision that the event was routed by.
func fromLedger(ctx context.Context, conf *config.File, on *rehearsal.Rehearsal, id string, in *rehearsal.Input) (string, error) {
	c, err := clientOf(conf)
	if err != nil {
		return "", err
	}
	if in.Source == "" {
		if in.Source, err = on.Source(""); err != nil {
			return "", err
		}
	}
	ev, err := c.Event(ctx, in.Source, id)
	if err != nil {
		return "", fmt.Errorf("event %s of %s: %w", id, in.Source, err)
	}
	if len(ev.Body) == 0 || string(ev.Body) == "null" {
		return "", fmt.Errorf("event %s of %s: its body is not kept any more (ledger.retention)", id, in.Source)
	}
	in.Body, in.Known = ev.Body, true
	keys, err := on.Keys(in.Source, in.Body)
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		if err := addState(ctx, c, key, in); err != nil {
			return "", err
		}
	}
	return ev.Revision, nil
}

func addState(ctx context.Context, c *admin.Client, key event.RecordKey, in *rehearsal.Input) error {
	got, err := c.Records(ctx, map[string]string{
		"source": key.Source, "company": key.CompanyID, "integration": key.Integration, "model": key.Model, "platform_id": key.PlatformID,
	})
	if err != nil {
		return fmt.Errorf("record %s: %w", key, err)
	}
	for _, r := range got {
		rec, err := rehearsal.StateOf(key, r.Version, r.Fields, r.Deleted)
		if err != nil {
			return fmt.Errorf("record %s: %w", key, err)
		}
		in.Records = append(in.Records, rec)
	}
	return nil
}

func printExplanation(w io.Writer, e *rehearsal.Explanation) {
	treated := ""
	if e.Treated != "" {
		treated = "the event was treated by " + e.Treated
	}
	facts(w,
		[]any{"event", e.EventID, "source " + e.Source},
		[]any{"kind", e.Kind, e.Format},
		[]any{"company", e.CompanyID},
		[]any{"data", e.Model, e.Operation},
		[]any{"revision", e.Revision, treated},
	)
	for _, u := range e.Unkeyed {
		fmt.Fprintf(w, "\nan element names no record and becomes a dead letter: %s\n", u)
	}
	for _, p := range e.Parts {
		fmt.Fprintln(w)
		if p.Index >= 0 {
			state := "living"
			if p.Deleted {
				state = "deleted"
			}
			fmt.Fprintf(w, "change %d, record %s, version %d, %s\n", p.Index, oneLine(p.Record), p.Version, state)
		}
		table(w, "ROUTE VERDICT WHY", func(row func(...any)) {
			for _, v := range p.Routes {
				verdict := "no"
				if v.Matched {
					verdict = "matched"
				}
				why := v.Reason
				if len(v.Shadowed) > 0 {
					why = "an earlier route delivers to " + strings.Join(v.Shadowed, ", ")
				}
				row(v.Route, verdict, why)
			}
		})
		if len(p.Deliveries) == 0 {
			fmt.Fprintln(w, "\nno destination gets anything")
		}
		for _, d := range p.Deliveries {
			fmt.Fprintf(w, "\n→ %s, by route %s\n", d.Destination, d.Route)
			fmt.Fprintf(w, "  %s\n", plain(d.String()))
			for _, line := range d.DryRun {
				fmt.Fprintf(w, "  would send: %s\n", strings.ReplaceAll(plain(line), "\n", "\n              "))
			}
			if d.Note != "" {
				fmt.Fprintf(w, "  what would be sent is not known: %s\n", oneLine(d.Note))
			}
		}
	}
}
