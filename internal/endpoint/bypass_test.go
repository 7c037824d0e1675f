package endpoint_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/endpoint"
)

// proof is a way to authenticate, and the headers of a request that passes.
type proof struct {
	auth   endpoint.Authenticator
	signs  bool // the body is covered
	sender func(secret, body string, at time.Time) map[string]string
}

func proofs(t *testing.T, secret string) map[string]proof {
	is := must[endpoint.Authenticator](t)
	const id = "msg_1"
	unix := func(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
	key := base64.StdEncoding.EncodeToString([]byte(secret))
	return map[string]proof{
		"header": {is(endpoint.Header(endpoint.HeaderAuth{Name: "api_key", Value: secret})), false,
			func(secret, _ string, _ time.Time) map[string]string { return map[string]string{"api_key": secret} }},
		"basic": {is(endpoint.Basic(endpoint.BasicAuth{Username: "rootfi", Password: secret})), false,
			func(secret, _ string, _ time.Time) map[string]string {
				return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("rootfi:"+secret))}
			}},
		"hmac": {is(endpoint.HMAC(endpoint.HMACAuth{Header: "X-Signature", Secrets: []string{secret}, Prefix: "sha256="})), true,
			func(secret, body string, _ time.Time) map[string]string {
				return map[string]string{"X-Signature": "sha256=" + hex.EncodeToString(sign(sha256.New, secret, body))}
			}},
		"hmac with timestamp": {is(endpoint.HMAC(endpoint.HMACAuth{
			Header: "X-Signature", Secrets: []string{secret}, Encoding: "base64", Signed: "{timestamp}.{body}", TimestampHeader: "X-Timestamp",
		})), true, func(secret, body string, at time.Time) map[string]string {
			return map[string]string{
				"X-Timestamp": unix(at),
				"X-Signature": base64.StdEncoding.EncodeToString(sign(sha256.New, secret, unix(at)+"."+body)),
			}
		}},
		"standard webhooks": {is(endpoint.StandardWebhooks(endpoint.StandardWebhooksAuth{Secrets: []string{"whsec_" + key}})), true,
			func(secret, body string, at time.Time) map[string]string {
				return map[string]string{
					"webhook-id": id, "webhook-timestamp": unix(at),
					"webhook-signature": "v1," + base64.StdEncoding.EncodeToString(sign(sha256.New, secret, id+"."+unix(at)+"."+body)),
				}
			}},
	}
}

// Every way to authenticate against every way around it, in the bytes of real
// requests.
func TestAuthenticationCannotBeBypassed(t *testing.T) {
	const body, other, secret, foreign = `{"a":1}`, `{"a":2}`, "secret-of-this-source", "secret-of-other-source"
	for name, p := range proofs(t, secret) {
		t.Run(name, func(t *testing.T) {
			s := &store{}
			address := start(t, endpoint.ServerOptions{Handler: build(t, s, func(o *endpoint.Options) {
				o.Sources = map[string]endpoint.Source{
					"rootfi": {Authenticate: []endpoint.Authenticator{p.auth}, Parse: parse},
					"other":  {Authenticate: []endpoint.Authenticator{proofs(t, foreign)[name].auth}, Parse: parse},
					"open":   {Anonymous: true, Parse: parse},
				}
			}).Handler()})
			lines := func(h map[string]string) string {
				var b strings.Builder
				for _, name := range slices.Sorted(maps.Keys(h)) {
					fmt.Fprintf(&b, "%s: %s\r\n", name, h[name])
				}
				return b.String()
			}
			post := func(path, headers, body string) string {
				return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: sluice\r\n%sContent-Length: %d\r\n\r\n%s", path, headers, len(body), body)
			}
			const path = "/webhooks/rootfi"
			right := p.sender(secret, body, now)
			attacks := map[string]string{
				"nothing":                      post(path, "", body),
				"another source's secret":      post(path, lines(p.sender(foreign, body, now)), body),
				"right secret, another source": post("/webhooks/other", lines(right), body),
				"no secret":                    post(path, lines(p.sender("", body, now)), body),
				"in the query":                 post(path+"?"+strings.ReplaceAll(strings.TrimSpace(lines(right)), ": ", "="), "", body),
				"as a cookie":                  post(path, "Cookie: "+strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(lines(right)), ": ", "="), "\r\n", "; ")+"\r\n", body),
				"as a trailer": fmt.Sprintf("POST %s HTTP/1.1\r\nHost: sluice\r\nTransfer-Encoding: chunked\r\nTrailer: %s\r\n\r\n%x\r\n%s\r\n0\r\n%s\r\n",
					path, strings.Join(slices.Sorted(maps.Keys(right)), ", "), len(body), body, lines(right)),
				"folded into another header":  post(path, "X-A: b\r\n "+strings.ReplaceAll(strings.TrimSpace(lines(right)), "\r\n", "\r\n ")+"\r\n", body),
				"behind a bare line feed":     post(path, "X-A: b\r"+strings.TrimSpace(lines(right))+"\r\n", body),
				"encoded line break":          post(path, "X-A: b%0d%0a"+strings.ReplaceAll(strings.TrimSpace(lines(right)), "\r\n", "%0d%0a")+"\r\n", body),
				"in the forwarded headers":    post(path, "X-Forwarded-For: 127.0.0.1\r\nX-Real-Ip: 127.0.0.1\r\nX-Original-Url: /webhooks/open\r\nX-Rewrite-Url: /webhooks/open\r\n", body),
				"method override":             strings.Replace(post(path, "X-Http-Method-Override: POST\r\n"+lines(right), body), "POST ", "PUT ", 1),
				"the open source's neighbour": post("/webhooks/open/../rootfi", "", body),
				"the open source, encoded":    post("/webhooks/open%2f..%2frootfi", "", body),
				"path with a parameter":       post(path+";open", "", body),
				"path with a NUL":             post(path+"%00", "", body),
				"path with a slash more":      post("//webhooks//rootfi", "", body),
				"another host":                post("http://127.0.0.1/webhooks/rootfi", "", body),
			}
			for key, value := range right {
				with := func(value string) string {
					h := maps.Clone(right)
					h[key] = value
					return post(path, lines(h), body)
				}
				without := maps.Clone(right)
				delete(without, key)
				rest := lines(without)
				attacks[key+" missing"] = post(path, rest, body)
				attacks[key+" empty"] = with("")
				attacks[key+" cut"] = with(value[:len(value)-2]) // the last one may be padding, which is optional
				attacks[key+" cut in front"] = with(value[1:])
				attacks[key+" longer"] = with(value + "0")
				if key != "webhook-signature" { // of which the scheme allows several
					attacks[key+" in a list"] = with(value + "," + value)
				}
				attacks[key+" quoted"] = with(`"` + value + `"`)
				attacks[key+" twice"] = post(path, rest+key+": "+value+"\r\n"+key+": "+value+"\r\n", body)
				attacks[key+" wrong and right"] = post(path, rest+key+": guess\r\n"+key+": "+value+"\r\n", body)
				attacks[key+" right and wrong"] = post(path, rest+key+": "+value+"\r\n"+key+": guess\r\n", body)
				attacks[key+" under another name"] = post(path, rest+strings.NewReplacer("-", "_", "_", "-").Replace("x-"+key)+": "+value+"\r\n", body)
				attacks[key+" as a wildcard"] = with("*")
				attacks[key+" with a NUL"] = with(value + "\x00")
				if flipped := swapCase(value); flipped != value && !strings.HasPrefix(value, "sha256=") {
					attacks[key+" in other case"] = with(flipped)
				}
			}
			if p.signs {
				attacks["another body"] = post(path, lines(right), other)
				attacks["a longer body"] = post(path, lines(right), body+" ")
				attacks["no body"] = post(path, lines(right), "")
				zipped := string(zip(t, []byte(body)))
				attacks["signature over compressed bytes"] = post(path, "Content-Encoding: gzip\r\n"+lines(p.sender(secret, zipped, now)), zipped)
				attacks["compressed, another body"] = post(path, "Content-Encoding: gzip\r\n"+lines(right), string(zip(t, []byte(other))))
				attacks["compressed twice"] = post(path, "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"+lines(right), zipped)
			}
			if old := lines(p.sender(secret, body, now.Add(-time.Hour))); old != lines(right) {
				attacks["an old request"] = post(path, old, body)
				attacks["a request of the future"] = post(path, lines(p.sender(secret, body, now.Add(time.Hour))), body)
			}
			for attack, sent := range attacks {
				if res := talk(t, address, sent); res != nil && res.StatusCode < 400 {
					t.Errorf("%s: answered %d\n%s", attack, res.StatusCode, sent)
				}
			}
			if got := s.stored(); len(got) > 0 {
				t.Fatalf("%d events were stored", len(got))
			}
			// The same requests without a flaw pass: the attacks failed for what they are.
			zipped := string(zip(t, []byte(other)))
			for control, sent := range map[string]string{
				"plain":      post(path, lines(right), body),
				"compressed": post(path, "Content-Encoding: gzip\r\n"+lines(p.sender(secret, other, now)), zipped),
			} {
				if res := talk(t, address, sent); res == nil || res.StatusCode != 202 {
					t.Errorf("%s: answered %+v", control, res)
				}
			}
		})
	}
}

// swapCase turns lower case into upper case and the other way round.
func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r ^ 0x20
		}
		return r
	}, s)
}
