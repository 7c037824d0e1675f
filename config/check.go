package config

import (
	"net"
	"regexp"
	"strings"
)

var (
	nameText   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	pluginText = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	schemaText = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)
	routeText  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	headerText = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

// check reports what is wrong in the meaning of settings that are each well
// formed.
func (r *report) check(c *Config) {
	r.rule = RuleSetting
	r.checkServer(&c.Server)
	r.checkLedger(&c.Ledger)
	r.checkTemporal(&c.Temporal)
	r.rule = RuleSource
	r.checkSources(c)
	r.rule = RuleDestination
	r.checkDestinations(c)
	r.rule = RuleRoute
	r.checkRoutes(c)
}

func (r *report) checkServer(s *Server) {
	understood := r.ok("server", "listen") && r.ok("server", "admin")
	if understood && s.Listen == s.Admin && !strings.HasSuffix(s.Admin, ":0") {
		at := []any{"server", "admin"}
		if !r.has(at...) {
			at = []any{"server", "listen"}
		}
		r.add(at, "give them different ports", "server.listen and server.admin are the same address")
	}
	if r.ok("server", "admin") && r.ok("server", "admin_token") && !isLoopback(s.Admin) && s.AdminToken == "" {
		r.add([]any{"server", "admin_token"}, "set a long random token, or listen on 127.0.0.1",
			"is required because admin listens on %s, which is not a loopback address", r.quoted([]any{"server", "admin"}, s.Admin))
	}
}

func (r *report) checkLedger(l *Ledger) {
	at := []any{"ledger", "postgres", "schema"}
	if l.Postgres == nil || !r.ok(at...) {
		return
	}
	if !schemaText.MatchString(l.Postgres.Schema) || strings.HasPrefix(l.Postgres.Schema, "pg_") {
		r.add(at, "a lower-case letter, then lower-case letters, digits and _, at most 48, not beginning with pg_",
			"%s cannot name the ledger's schema", r.quoted(at, l.Postgres.Schema))
	}
}

func (r *report) checkTemporal(t *Temporal) {
	path := func(steps ...any) []any { return with([]any{"temporal"}, steps...) }
	if tls := t.TLS; tls != nil && r.ok(path("tls", "cert")...) && r.ok(path("tls", "key")...) && (tls.Cert == "") != (tls.Key == "") {
		missing, given := "key", "cert"
		if tls.Cert == "" {
			missing, given = given, missing
		}
		r.add(path("tls", missing), "name both files, or neither", "is required with %s", given)
	}
	if !r.ok(path("address")...) {
		return
	}
	if t.Address != "" {
		if r.has(path("embedded")...) {
			r.warn(path("embedded"), "remove it, or remove temporal.address", "has no effect: with an address, Temporal does not run embedded")
		}
		if _, port, _ := net.SplitHostPort(t.Address); port == "0" {
			r.add(path("address"), "the usual port is 7233", "%s has no port to connect to", r.quoted(path("address"), t.Address))
		}
		return
	}
	for _, key := range []string{"api_key", "tls", "ui", "versioning"} {
		if r.has(path(key)...) && r.ok(path(key)...) {
			r.warn(path(key), "set temporal.address to use a cluster", "has no effect while Temporal runs embedded")
		}
	}
}

func (r *report) checkDestinations(c *Config) {
	section := []any{"destinations"}
	if len(c.Destinations) == 0 && r.ok(section...) {
		r.warn(section, "add one with plugin and config", "there are no destinations: events are stored and delivered nowhere")
	}
	for name, d := range c.Destinations {
		path := func(steps ...any) []any { return with(section, with([]any{name}, steps...)...) }
		if !nameText.MatchString(name) {
			r.addKey(path(), nameHint, "%s cannot name a destination", quote(name))
		}
		if d.Plugin != "" && r.ok(path("plugin")...) && !pluginText.MatchString(d.Plugin) {
			r.add(path("plugin"), "a lower-case letter, then lower-case letters, digits and -, at most 32; write file, not sluice-destination-file",
				"%s cannot name a plugin", r.quoted(path("plugin"), d.Plugin))
		}
		for key := range d.Env {
			if !variableName.MatchString(key) {
				r.addKey(path("env", key), "letters, digits and _, not beginning with a digit", "%s cannot name an environment variable", quote(key))
			}
		}
		initial, longest := path("retry", "initial_interval"), path("retry", "max_interval")
		if r.ok(initial...) && r.ok(longest...) && d.Retry.MaxInterval < d.Retry.InitialInterval {
			at, other := longest, "initial_interval "+formatDuration(d.Retry.InitialInterval)
			if !r.has(longest...) {
				at, other = initial, "the default of max_interval, "+formatDuration(d.Retry.MaxInterval)
				r.add(at, "lower it, or set max_interval as well", "must not be longer than %s", other)
				continue
			}
			r.add(at, "raise it, or lower initial_interval", "must not be shorter than %s", other)
		}
	}
}

const nameHint = "a lower-case letter, then lower-case letters, digits, _ and -, at most 63"
