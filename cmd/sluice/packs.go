package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/packs"
	"github.com/sluicehq/sluice/config/views"
)

func newPacksCommand(f *shared) *cobra.Command {
	cmd := &cobra.Command{Use: "packs", Short: "Look at the ready-made mappings, and print the views that belong to them"}
	cmd.AddCommand(newPacksList(f), newPacksShow(f), newPacksViews(f))
	return cmd
}

// packRow is a pack as `packs list` shows it.
type packRow struct {
	Name        string `json:"name"`
	Models      int    `json:"models"`
	Views       int    `json:"views"` // those that it writes down
	Description string `json:"description"`
}

func newPacksList(f *shared) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the packs", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var rows []packRow
			for _, name := range config.Packs() {
				p, err := config.LoadPack(name)
				if err != nil {
					return err
				}
				rows = append(rows, packRow{name, len(p.Models), len(p.Views), p.Description})
			}
			return f.show(cmd.OutOrStdout(), rows, func(w io.Writer) {
				table(w, "PACK MODELS VIEWS DESCRIPTION", func(row func(...any)) {
					for _, r := range rows {
						row(r.Name, r.Models, r.Views, r.Description)
					}
				})
			})
		},
	}
}

func newPacksShow(f *shared) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a pack as it is written", Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := config.LoadPack(args[0]); err != nil {
				return err
			}
			text := string(packs.All()[args[0]])
			shown := struct {
				Name string `json:"name"`
				YAML string `json:"yaml"`
			}{args[0], text}
			return f.show(cmd.OutOrStdout(), shown, func(w io.Writer) { fmt.Fprint(w, text) })
		},
	}
}

func newPacksViews(f *shared) *cobra.Command {
	var database, to string
	var place views.Place
	drop := false
	cmd := &cobra.Command{
		Use:   "views NAME [VIEW…]",
		Short: "Print the SQL that makes the views of a pack, for your own database client",
		Long: "Print the SQL that makes the views of a pack: for each table <table>_current with what lives, and those that the pack " +
			"writes down. With names of views only those and what they use. Nothing is connected to or run; pipe it into your client. " +
			"It can be run again.\n\n" +
			"Where the tables are comes from --for with --schema and --prefix, or with --destination from the configuration. A view " +
			"is made beside the tables, with their schema and prefix. A table is there once a record of it was delivered; a view " +
			"over one that is not there fails, so run it again later.",
		Example: "  sluice packs views rootfi/warehouse --for postgres --schema books | psql \"$WAREHOUSE_URL\"\n" +
			"  sluice packs views rootfi/warehouse --destination warehouse -c sluice.yaml\n" +
			"  sluice packs views rootfi/warehouse --for sqlite --drop | sqlite3 warehouse.db",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactArgs(1)(cmd, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if (database == "") == (to == "") {
				return wrongUse(cmd, "give either --for or --destination")
			}
			if to != "" && place != (views.Place{}) {
				return wrongUse(cmd, "--destination says where the tables are: leave --schema and --prefix out")
			}
			wanted, err := packViews(args[0], args[1:])
			if err != nil {
				return err
			}
			if to != "" {
				if database, place, err = f.placeOf(cmd.ErrOrStderr(), to); err != nil {
					return err
				}
			}
			d, err := views.For(database, place)
			if err != nil {
				return &usageError{err}
			}
			out := d.Drop(wanted)
			if !drop {
				if out, err = d.Create(wanted); err != nil {
					return err
				}
			}
			return f.show(cmd.OutOrStdout(), out, func(w io.Writer) { printViews(w, args[0], database, out) })
		},
	}
	cmd.Flags().StringVar(&database, "for", "", "whose SQL: "+strings.Join(views.Dialects(), ", "))
	cmd.Flags().StringVar(&place.Schema, "schema", "", "the destination's schema, which for bigquery is its dataset and for mysql and clickhouse the database, "+
		"and may be PROJECT.DATASET or, for snowflake, DATABASE.SCHEMA (default: the destination's own default; for mysql and clickhouse the database that the client uses)")
	cmd.Flags().StringVar(&place.Prefix, "prefix", "", "the destination's table_prefix: sqlite, mysql and clickhouse only")
	cmd.Flags().StringVar(&to, "destination", "", "take all three from this destination of the configuration")
	cmd.Flags().BoolVar(&drop, "drop", false, "print the SQL that removes the views instead, each before those that it uses")
	return cmd
}

// packViews returns the views of a pack, or those that are named and what they use.
func packViews(name string, only []string) ([]views.View, error) {
	pack, err := config.LoadPack(name)
	if err != nil {
		return nil, err
	}
	all, err := views.Of(pack)
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", name, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the pack %s has no views", name)
	}
	if len(only) == 0 {
		return all, nil
	}
	out, err := views.Only(all, only)
	if err != nil {
		err = fmt.Errorf("pack %s: %w", name, err)
	}
	return out, err
}

// placeOf says where a destination of the configuration makes its tables.
func (f *shared) placeOf(stderr io.Writer, name string) (database string, p views.Place, err error) {
	file, err := f.load(stderr)
	if err != nil {
		return "", p, err
	}
	d, ok := file.Config.Destinations[name]
	if !ok {
		return "", p, errors.New("the configuration has no destination " + name)
	}
	return d.Plugin, views.PlaceOf(d.Plugin, d.Config), nil
}

func printViews(w io.Writer, pack, database string, list []views.Statements) {
	fmt.Fprintf(w, "-- Views of the pack %s for %s.\n", pack, database)
	for _, s := range list {
		fmt.Fprintf(w, "\n-- %s: %s\n", s.View, s.Description)
		for _, sql := range s.SQL {
			fmt.Fprintf(w, "%s;\n", sql)
		}
	}
}
