package config

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
)

// The part of SARIF 2.1.0 (docs.oasis-open.org/sarif) that code review tools read.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name            string      `json:"name"`
		SemanticVersion string      `json:"version"`
		Information     string      `json:"informationUri"`
		Rules           []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int        `json:"startLine"`
		StartColumn int        `json:"startColumn"`
		Snippet     *sarifText `json:"snippet,omitempty"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
	}
)

// rules describes each rule for those who gather problems.
var rules = []sarifRule{
	{RuleSyntax, sarifText{"The file is not the YAML that it should be."}},
	{RuleSetting, sarifText{"A setting is unknown, missing, repeated or of the wrong type."}},
	{RuleReference, sarifText{"A reference names something that is not there."}},
	{RuleSecret, sarifText{"A secret stands in the file itself."}},
	{RuleSource, sarifText{"A source cannot work as it is written."}},
	{RuleDestination, sarifText{"A destination cannot work as it is written."}},
	{RuleRoute, sarifText{"A route, condition or mapping cannot work, or does nothing."}},
	{RulePlugin, sarifText{"A plugin is missing or refuses its settings."}},
	{RuleRestart, sarifText{"A running Sluice cannot take this setting over."}},
}

// SARIF returns the diagnostics as a SARIF 2.1.0 log.
func (ds Diagnostics) SARIF(version string) ([]byte, error) {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "sluice", SemanticVersion: version, Information: "https://github.com/sluicehq/sluice", Rules: rules,
		}},
		ColumnKind: "unicodeCodePoints", Results: []sarifResult{},
	}
	for _, d := range ds {
		text := d.Problem
		if d.Path != "" {
			text = d.Path + ": " + text
		}
		if d.Hint != "" {
			text += " (" + d.Hint + ")"
		}
		location := sarifLocation{Physical: sarifPhysical{
			Artifact: sarifArtifact{fileURI(d.File)},
		}}
		if d.Line > 0 { // a file that cannot be read has no lines
			location.Physical.Region = &sarifRegion{StartLine: d.Line, StartColumn: max(d.Column, 1)}
		}
		if d.Text != "" && d.Line > 0 {
			location.Physical.Region.Snippet = &sarifText{d.Text}
		}
		if d.Path != "" {
			location.Logical = []sarifLogical{{d.Path}}
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: d.Rule, RuleIndex: slices.IndexFunc(rules, func(r sarifRule) bool { return r.ID == d.Rule }),
			Level: d.Severity.String(), Message: sarifText{text}, Locations: []sarifLocation{location},
		})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(sarifLog{
		Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{run},
	})
	return b.Bytes(), err
}

// fileURI writes a path as URIs have it: relative paths stay relative, to the
// root of the repository for who runs it there.
func fileURI(path string) string {
	u := strings.NewReplacer("%", "%25", " ", "%20", "#", "%23", "?", "%3F").Replace(filepath.ToSlash(path))
	if filepath.IsAbs(path) {
		return "file://" + u
	}
	return u
}
