package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination/serve"
	"github.com/sluicehq/sluice/plugins/internal/parquetfile"
	"github.com/sluicehq/sluice/plugins/internal/placeholder"
)

// settings are what an operator writes under config.
type settings struct {
	Path      string `json:"path" jsonschema:"minLength=1,description=Directory for the files. It is made when it is not there."`
	Format    string `json:"format,omitempty" jsonschema:"enum=jsonl,enum=csv,enum=parquet,default=jsonl,description=Format of the files."`
	State     string `json:"state,omitempty" jsonschema:"enum=log,enum=current,default=log,description=log appends every write; current keeps one row per record."`
	Layout    string `json:"layout,omitempty" jsonschema:"description=Path of a file within the directory. Placeholders: {object} {source} {company_id} {integration} {model} {date} {hour}\\, and {part} in a log of Parquet. Default: {object} and the ending; a log of Parquet {object}/{date}/{part}.parquet."`
	Delete    string `json:"delete,omitempty" jsonschema:"enum=hard,enum=soft,default=hard,description=With state current: hard takes a deleted row out; soft keeps it with _deleted_at."`
	Decimal   string `json:"decimal,omitempty" jsonschema:"description=Precision and scale of numbers in Parquet\\, such as 38\\,9. Without it numbers are text\\, exact at any length."`
	Refresh   string `json:"refresh,omitempty" jsonschema:"default=5s,description=With state current: how soon after a write the file is rewritten; 0s = before the write is answered."`
	DedupeMiB int64  `json:"dedupe_window_mib,omitempty" jsonschema:"minimum=16,default=64,description=How much of the end of each log is searched for writes that are repeated (MiB)."`
	OpenFiles int    `json:"open_files,omitempty" jsonschema:"minimum=1,default=64,description=How many files are kept open."`
}

// options are settings with their defaults, checked.
type options struct {
	dir     string
	format  string // jsonl, csv or parquet
	decimal parquetfile.Decimal
	current bool
	soft    bool
	layout  placeholder.Path
	refresh time.Duration
	window  int64
	open    int
}

func parseSettings(raw json.RawMessage) (options, error) {
	s, err := serve.Decode[settings](raw)
	if err != nil {
		return options{}, err
	}
	o := options{window: 64 << 20, open: 64, refresh: 5 * time.Second, format: cmp.Or(s.Format, "jsonl")}
	if o.dir, err = filepath.Abs(s.Path); err != nil || s.Path == "" {
		return options{}, errors.New(`setting "path": give the directory for the files`)
	}
	for _, choice := range []struct {
		name, value, other, def string
		into                    *bool
	}{
		{"state", s.State, "current", "log", &o.current},
		{"delete", s.Delete, "soft", "hard", &o.soft},
	} {
		switch choice.value {
		case "", choice.def:
		case choice.other:
			*choice.into = true
		default:
			return options{}, fmt.Errorf("setting %q: use %s or %s", choice.name, choice.def, choice.other)
		}
	}
	if err := o.parseLayout(&s); err != nil {
		return options{}, err
	}
	if s.Refresh != "" {
		if o.refresh, err = time.ParseDuration(s.Refresh); err != nil || o.refresh < 0 {
			return options{}, errors.New(`setting "refresh": give a duration such as 5s`)
		}
	}
	if s.DedupeMiB != 0 {
		if s.DedupeMiB < 16 || s.DedupeMiB > 1<<20 {
			return options{}, errors.New(`setting "dedupe_window_mib": use 16 or more, so that it covers the largest batch`)
		}
		o.window = s.DedupeMiB << 20
	}
	if s.OpenFiles != 0 {
		if s.OpenFiles < 1 {
			return options{}, errors.New(`setting "open_files": use 1 or more`)
		}
		o.open = s.OpenFiles
	}
	return o, nil
}

// parts reports whether the files that are appended to are folders of parts.
func (o *options) parts() bool { return o.format == "parquet" }

func (o *options) parseLayout(s *settings) (err error) {
	if !slices.Contains([]string{"jsonl", "csv", "parquet"}, o.format) {
		return errors.New(`setting "format": use jsonl, csv or parquet`)
	}
	if s.Decimal != "" && o.format != "parquet" {
		return errors.New(`setting "decimal": it is for format parquet; elsewhere numbers keep their text`)
	}
	if o.decimal, err = parquetfile.ParseDecimal(s.Decimal); err != nil {
		return fmt.Errorf(`setting "decimal": %w`, err)
	}
	template := cmp.Or(s.Layout, "{object}."+o.format)
	var extra []string
	if o.parts() && !o.current {
		template, extra = cmp.Or(s.Layout, "{object}/{date}/{part}.parquet"), []string{"part"}
	}
	if o.layout, err = placeholder.ParsePath(template, extra...); err != nil {
		return fmt.Errorf("setting layout: %w", err)
	}
	switch {
	case extra != nil && !o.layout.Uses("part"):
		return errors.New("setting layout: a log of Parquet needs {part} in the path, since a file cannot be appended to")
	case o.current && o.layout.Uses("date", "hour"):
		return errors.New("setting layout: state current has one file per object, so {date} and {hour} cannot be used")
	case (o.current || o.parts()) && !o.layout.Uses("object", "model"):
		return errors.New("setting layout: it needs {object} or {model} in the path, so that objects do not share a file")
	}
	return nil
}

// logPath is where appended records of a destination with current state go:
// beside the state, with "log" before the ending.
func logPath(name string) string {
	dir, base := path.Split(name)
	ending := path.Ext(base)
	return dir + strings.TrimSuffix(base, ending) + ".log" + ending
}
