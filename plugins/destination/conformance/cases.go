package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
)

// Case is one thing that Sluice relies on.
type Case struct {
	Name  string // stable: Subject.Lacks, reports and configurations use it
	Group string // what it belongs to in a report
	Title string // for people
	needs destination.Capability
	run   func(T, *suite)
}

// The groups of cases, in the order of a report.
const (
	groupContract = "contract"
	groupRecords  = "records"
	groupValues   = "values"
	groupBatches  = "batches"
	groupChanges  = "changes and events"
	groupTrouble  = "trouble"
	groupProcess  = "process"
)

// Cases lists all cases in the order in which they run.
func Cases() []Case {
	const (
		records = destination.CapabilityRecords
		changes = destination.CapabilityChanges
		events  = destination.CapabilityEvents
	)
	return []Case{
		{"describe", groupContract, "describes itself before it is configured", "", describe},
		{"bad_settings", groupContract, "wrong settings are refused with their name", "", badSettings},
		{"check", groupContract, "check passes with the right settings", destination.CapabilityCheck, check},
		{"wrong_credentials", groupContract, "wrong credentials are a clear error of check, and misconfigured in a write", destination.CapabilityCheck, wrongCredentials},
		{"dry_run", groupContract, "a dry run writes nothing", destination.CapabilityDryRun, dryRun},
		{"secrets", groupContract, "secrets are in no error, result or log", "", secrets},

		{"upsert", groupRecords, "a record is written with its key", records, upsert},
		{"repeat", groupRecords, "an upsert repeated is one row", records, repeat},
		{"newer_version", groupRecords, "a newer version updates", records, newerVersion},
		{"older_version", groupRecords, "an older version changes nothing", records, olderVersion},
		{"older_version_after_restart", groupRecords, "nor after a restart", records, olderVersionAfterRestart},
		{"versions_in_one_batch", groupRecords, "of one key twice in a batch the newest version wins", records, versionsInOneBatch},
		{"changed_fields_of_unknown_record", groupRecords, "an update of a record that is not there writes all of it", records, changedFieldsOfUnknownRecord},
		{"different_fields_in_one_batch", groupRecords, "records of one batch may have different fields", records, differentFieldsInOneBatch},
		{"partial", groupRecords, "an update of some fields blanks no other", records, partial},
		{"null", groupRecords, "a null clears the field", records, null},
		{"delete", groupRecords, "a deleted record is gone or marked", records, remove},
		{"delete_unknown", groupRecords, "a delete of an unknown key does no harm", records, deleteUnknown},
		{"older_version_after_delete", groupRecords, "an older version does not revive a deleted record", records, olderVersionAfterDelete},
		{"revive", groupRecords, "a newer version revives it", records, revive},
		{"objects", groupRecords, "the same key in two objects is two records", records, objects},
		{"new_fields", groupRecords, "a field that appears later is added", records, newFields},

		{"text", groupValues, "Unicode, quotes, line breaks, text like code", records, text},
		{"empty_text", groupValues, "an empty text is not null", records, emptyText},
		{"large", groupValues, "a text of a megabyte", records, large},
		{"integers", groupValues, "64-bit integers and beyond", records, integers},
		{"decimals", groupValues, "decimals of 38 digits", records, decimals},
		{"booleans", groupValues, "booleans", records, booleans},
		{"timestamps", groupValues, "dates and times, with fractions and zones", records, timestamps},
		{"json", groupValues, "lists and objects", records, nested},
		{"untyped", groupValues, "fields without a type, and values that change theirs", records, untyped},
		{"awkward_keys", groupValues, "keys that look like paths, patterns or quotes", records, awkwardKeys},

		{"bad_record", groupBatches, "one bad record among many takes none with it", records, badRecord},
		{"unknown_operation", groupBatches, "an unknown operation is rejected, the rest delivered", records, unknownOperation},
		{"batch_at_limit", groupBatches, "a batch as large as announced", records, batchAtLimit},
		{"batch_over_limit", groupBatches, "one more than announced is delivered or put off, never lost", records, batchOverLimit},
		{"concurrent", groupBatches, "several writers at a time", records, concurrent},
		{"cancel", groupBatches, "a cancelled write returns within a second", records, cancelled},

		{"changes", groupChanges, "every change is kept", changes, appendChanges},
		{"changes_repeat", groupChanges, "a change repeated is kept once", changes, appendChangesAgain},
		{"events", groupChanges, "every event is kept", events, appendEvents},
		{"events_repeat", groupChanges, "an event repeated is kept once", events, appendEventsAgain},

		{"throttle", groupTrouble, "a request to wait is passed on, with its end", records, throttle},
		{"throttle_without_end", groupTrouble, "a request to wait without an end gets one", records, throttleWithoutEnd},
		{"token_expiry", groupTrouble, "a token that runs out in mid-batch is renewed", records, tokenExpiry},
		{"outage", groupTrouble, "a system that fails is retried, nothing is rejected", records, outage},
		{"hang", groupTrouble, "a write to a system that hangs can be cancelled within a second", records, hang},

		{"crash", groupProcess, "killed between write and answer, a repetition does no harm", records, crash},
		{"changes_crash", groupProcess, "killed while it appends, a repetition does no harm", changes, crashAppending},
		{"log_contents", groupProcess, "no contents of records in the log", "", logContents},
		{"leaks", groupProcess, "no goroutine, handle or process is left behind", "", leaks},
	}
}

// Result is what became of a case.
type Result string

// The results. They are stored in reports; never rename.
const (
	Passed     Result = "passed"
	Failed     Result = "failed"
	Lacks      Result = "lacks"      // declared by the author, with a reason
	NotRun     Result = "not run"    // a capability or a hook is missing, or the mode cannot show it
	Unobserved Result = "unobserved" // what the destination says is right; what it holds was not seen
)

// Run runs the case and fills in o. A failure is t's as well.
func (c Case) Run(t T, subject Subject, d destination.Description, o *Outcome) {
	*o = Outcome{Case: c.Name, Group: c.Group, Title: c.Title, Result: Failed}
	switch reason, lacking := subject.Lacks[c.Name]; {
	case lacking && strings.TrimSpace(reason) == "":
		t.Error("Lacks gives no reason")
	case lacking:
		o.Result, o.Note = Lacks, reason
	case c.needs != "" && !slices.Contains(d.Capabilities, c.needs):
		o.Result, o.Note = NotRun, fmt.Sprintf("no capability %q", c.needs)
	default:
		s := &suite{Subject: subject, description: d, settings: subject.Settings(t), outcome: o}
		c.run(t, s)
		switch {
		case t.Failed():
			o.Result = Failed
		case o.Result == Failed:
			o.Result = Passed
		}
	}
}

// CheckLacks reports the first name that is no case.
func CheckLacks(lacks map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(lacks)) {
		if !slices.ContainsFunc(Cases(), func(c Case) bool { return c.Name == name }) {
			return fmt.Errorf("lacks names %q, which is no case of the suite", name)
		}
	}
	return nil
}
