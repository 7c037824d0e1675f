package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/fake/bigquery"
)

func newSandboxBigQueryCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "bigquery",
		Short: "Serve a fake BigQuery, to try the destination bigquery",
		Long: `Serve the part of BigQuery's API that the destination bigquery uses, over tables in memory. Point endpoint of the
destination at it; it asks for no credentials. GET /sandbox/tables/DATASET/TABLE?project=PROJECT shows the rows of a table.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serveFake(cmd, listen, bigquery.New(bigquery.Options{}), func(base string) string {
				return fmt.Sprintf(`BigQuery's API on %[1]s

settings  project: sandbox
          endpoint: %[1]s
rows      curl '%[1]s/sandbox/tables/rootfi/invoices?project=sandbox'
`, base)
			})
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:9093", "address of the API; port 0 takes a free one")
	return cmd
}
