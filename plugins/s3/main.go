// Command sluice-destination-s3 writes batches as objects of an S3-compatible
// object store: JSONL or Parquet files whose names follow from their records.
//
// A batch that comes again replaces its object with the same bytes. See README.md
// for the form of files and how to query them.
package main

import "github.com/sluicehq/sluice/plugins/destination/serve"

func main() { serve.Main(newS3()) }
