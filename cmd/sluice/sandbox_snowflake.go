package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/fake/snowflake"
)

func newSandboxSnowflakeCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "snowflake",
		Short: "Serve a fake Snowflake, to try the destination snowflake",
		Long: `Serve Snowflake's SQL API over tables in memory, with a database SANDBOX. Point base_url of the destination at it; it
takes any account, user and key. GET /sandbox/tables/DATABASE/SCHEMA/TABLE shows the rows of a table.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serveFake(cmd, listen, snowflake.New(snowflake.Options{Databases: []string{"SANDBOX"}}), func(base string) string {
				return fmt.Sprintf(`Snowflake's SQL API on %[1]s

settings  database: sandbox
          base_url: %[1]s
rows      curl %[1]s/sandbox/tables/SANDBOX/ROOTFI/INVOICES
`, base)
			})
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:9094", "address of the API; port 0 takes a free one")
	return cmd
}
