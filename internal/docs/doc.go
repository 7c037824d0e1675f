// Package docs holds the documentation to the code. It has tests only: links
// lead somewhere, YAML is a configuration, commands and flags exist, tables of
// settings, metrics and answers are complete, and the example plugin on the page
// is the one that is tested. It does not judge whether the prose is true.
package docs
