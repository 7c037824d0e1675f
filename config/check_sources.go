package config

import (
	"encoding/base64"
	"regexp"
	"strings"
)

func (r *report) checkSources(c *Config) {
	section := []any{"sources"}
	if len(c.Sources) == 0 && r.ok(section...) {
		r.add(section, "add one, such as rootfi: {type: rootfi, auth: …}", "there are no sources: nothing could be received")
	}
	for name, s := range c.Sources {
		path := with(section, name)
		if !nameText.MatchString(name) {
			r.addKey(path, nameHint, "%s cannot name a source", quote(name))
		}
		r.checkAuth(c, s.Auth, with(path, "auth"))
	}
}

func (r *report) checkAuth(c *Config, a SourceAuth, path []any) {
	if !r.ok(path...) {
		return
	}
	if !a.None && len(a.Entries) == 0 {
		const hint = "list a check, or write auth: none to accept anybody's requests"
		switch {
		case !r.ok("server", "listen"):
		case isLoopback(c.Server.Listen):
			r.warn(path, hint, "requests are not authenticated; that is accepted only because server.listen is a loopback address")
		default:
			r.add(path, hint, "is required: server.listen is not a loopback address")
		}
	}
	for i, e := range a.Entries {
		p := with(path, i)
		if h := e.Header; h != nil {
			r.checkHeader(with(p, "header", "name"), h.Name)
		}
		if b := e.Basic; b != nil && strings.Contains(b.Username, ":") {
			r.add(with(p, "basic", "username"), "choose another user name", "must not have a colon")
		}
		if h := e.HMAC; h != nil {
			r.checkHMAC(h, with(p, "hmac"))
		}
		if s := e.StandardWebhooks; s != nil {
			for j, secret := range s.Secrets {
				at := with(p, "standard_webhooks", "secrets", j)
				if !r.ok(at...) || secret == "" {
					continue
				}
				if key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_")); err != nil || len(key) == 0 {
					r.add(at, "copy it whole, as whsec_…", "is not a Standard Webhooks secret")
				}
			}
		}
	}
}

func (r *report) checkHeader(path []any, name string) {
	if name != "" && r.ok(path...) && !headerText.MatchString(name) {
		r.add(path, "letters, digits and - _", "%s cannot name a header", r.quoted(path, name))
	}
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

func (r *report) checkHMAC(h *HMACAuth, path []any) {
	r.checkHeader(with(path, "header"), h.Header)
	r.checkHeader(with(path, "timestamp_header"), h.TimestampHeader)
	r.checkHeader(with(path, "id_header"), h.IDHeader)
	signed := with(path, "signed")
	if !r.ok(signed...) {
		return
	}
	used := make(map[string]bool)
	for _, p := range placeholder.FindAllString(h.Signed, -1) {
		used[p] = true
		if p != "{body}" && p != "{timestamp}" && p != "{id}" && !r.resolved[identity(signed)] {
			r.add(signed, "use {body}, {timestamp} and {id}", "has the unknown placeholder %s", quote(p))
		}
	}
	if !used["{body}"] {
		r.add(signed, "such as {timestamp}.{body}", "does not sign the body: anybody could send another one under the same signature")
	}
	for _, x := range []struct{ placeholder, key, value string }{
		{"{timestamp}", "timestamp_header", h.TimestampHeader},
		{"{id}", "id_header", h.IDHeader},
	} {
		at := with(path, x.key)
		if !r.ok(at...) {
			continue
		}
		switch {
		case used[x.placeholder] && x.value == "":
			r.add(at, "name the header, or leave "+x.placeholder+" out of signed", "is required because signed uses %s", x.placeholder)
		case !used[x.placeholder] && x.value != "":
			r.warn(at, "add "+x.placeholder+" to signed", "is not protected: signed does not use %s", x.placeholder)
		}
	}
	if at := with(path, "tolerance"); r.has(at...) && r.ok(at...) && h.TimestampHeader == "" && !used["{timestamp}"] {
		r.warn(at, "set timestamp_header, or remove it", "has no effect without timestamp_header")
	}
}
