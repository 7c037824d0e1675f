package redshift

import (
	"regexp"
	"strconv"
)

// words take string literals, quoted names and comments out of SQL.
var words = regexp.MustCompile(`'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*`)

// lacks is what PostgreSQL knows and Redshift does not. A few of these work on
// Redshift's leader node only, where no table is.
var lacks = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"ON CONFLICT", regexp.MustCompile(`(?i)\bON\s+CONFLICT\b`)},
	{"RETURNING", regexp.MustCompile(`(?i)\bRETURNING\b`)},
	{"type json", regexp.MustCompile(`(?i)\bjsonb?\b`)},
	{"type text but as varchar(256)", regexp.MustCompile(`(?i)\btext\b`)},
	{"arrays", regexp.MustCompile(`(?i)\[\]|\bunnest\s*\(|\bARRAY\s*\[`)},
	{"indexes", regexp.MustCompile(`(?i)\bCREATE\s+(UNIQUE\s+)?INDEX\b`)},
	{"ADD COLUMN IF NOT EXISTS", regexp.MustCompile(`(?i)\bADD\s+COLUMN\s+IF\s+NOT\b`)},
	{"more than one action in an ALTER TABLE", regexp.MustCompile(`(?is)\bALTER\s+TABLE\b.*\bADD\b.*,\s*ADD\b`)},
	{"change of a column's type", regexp.MustCompile(`(?is)\bALTER\s+COLUMN\b`)},
	{"now() on its tables", regexp.MustCompile(`(?i)\bnow\s*\(|\bCURRENT_TIMESTAMP\b|\bclock_timestamp\b|\bset_config\b`)},
	{"advisory locks", regexp.MustCompile(`(?i)\bpg_advisory`)},
	{"cast of varchar to boolean", regexp.MustCompile(`(?i)::\s*bool|\bAS\s+bool`)},
	{"DO", regexp.MustCompile(`(?i)^\s*DO\b`)},
	{"DISTINCT ON, FILTER or LATERAL", regexp.MustCompile(`(?i)\bDISTINCT\s+ON\b|\bFILTER\s*\(|\bLATERAL\b`)},
	{"outer join in an UPDATE", regexp.MustCompile(`(?is)^\s*UPDATE\b.*\bJOIN\b`)},
	{"MERGE with conditions", regexp.MustCompile(`(?is)\bMERGE\b.*\bMATCHED\s+AND\b`)},
}

var sized = regexp.MustCompile(`(?i)\b(varchar|character varying|decimal|numeric)\s*(?:\((\d+))?`)

// lacking says what of the SQL Redshift does not have; "" if nothing.
func lacking(sql string) string {
	bare := words.ReplaceAllString(sql, `''`)
	for _, l := range lacks {
		if l.pattern.MatchString(bare) {
			return l.what
		}
	}
	for _, m := range sized.FindAllStringSubmatch(bare, -1) {
		most := 65535
		if m[1][0] == 'd' || m[1][0] == 'D' || m[1][0] == 'n' || m[1][0] == 'N' {
			most = 38
		}
		if n, err := strconv.Atoi(m[2]); m[2] != "" && (err != nil || n > most) {
			return m[1] + "(" + m[2] + ")"
		}
	}
	return ""
}

var (
	primaryKey    = regexp.MustCompile(`(?i),\s*PRIMARY\s+KEY\s*\((?:"(?:[^"]|"")*"|[^")])*\)`)
	caseSensitive = regexp.MustCompile(`(?i)\bSET\s+enable_case_sensitive_identifier\s+TO\s+true\b`)
)

// rewrite makes SQL that only Redshift understands, or understands otherwise,
// PostgreSQL's: keys are not enforced.
func rewrite(sql string) string {
	return caseSensitive.ReplaceAllString(primaryKey.ReplaceAllString(sql, ""), "SET extra_float_digits TO 1")
}
