package endpoint_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sluicehq/sluice/internal/endpoint"
)

// header builds a header from name, value pairs, as net/http would.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// check runs an authenticator the way the endpoint does.
func check(a endpoint.Authenticator, h http.Header, body string) error {
	if err := a.CheckHeader(h, now); err != nil {
		return err
	}
	return a.CheckBody(h, []byte(body), now)
}

func expect(t *testing.T, a endpoint.Authenticator, h http.Header, body string, pass bool) {
	t.Helper()
	err := check(a, h, body)
	if (err == nil) != pass {
		t.Errorf("err = %v, want pass = %v", err, pass)
	}
	if err != nil && (strings.Contains(err.Error(), secretKey) || strings.Contains(err.Error(), "guess")) {
		t.Errorf("the error tells too much: %v", err)
	}
}

func TestHeaderAuth(t *testing.T) {
	a := must[endpoint.Authenticator](t)(endpoint.Header(endpoint.HeaderAuth{Name: "api_key", Value: secretKey}))
	for name, tt := range map[string]struct {
		h    http.Header
		pass bool
	}{
		"right":                     {header("api_key", secretKey), true},
		"header name in upper case": {header("API_KEY", secretKey), true},
		"missing":                   {header(), false},
		"empty":                     {header("api_key", ""), false},
		"another header":            {header("api-key", secretKey), false},
		"value in another case":     {header("api_key", strings.ToUpper(secretKey)), false},
		"prefix of it":              {header("api_key", secretKey[:len(secretKey)-1]), false},
		"it and more":               {header("api_key", secretKey+"x"), false},
		"it in a list":              {header("api_key", secretKey+","+secretKey), false},
		"as bearer":                 {header("api_key", "Bearer "+secretKey), false},
		"right and wrong":           {header("api_key", secretKey, "api_key", "guess"), false},
		"wrong and right":           {header("api_key", "guess", "api_key", secretKey), false},
		"twice":                     {header("api_key", secretKey, "api_key", secretKey), false},
		"NUL behind it":             {header("api_key", secretKey+"\x00"), false},
		"wildcard":                  {header("api_key", "*"), false},
	} {
		t.Run(name, func(t *testing.T) { expect(t, a, tt.h, "{}", tt.pass) })
	}
}

func TestBasicAuth(t *testing.T) {
	a := must[endpoint.Authenticator](t)(endpoint.Basic(endpoint.BasicAuth{Username: "rootfi", Password: "pa:ss"}))
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, tt := range map[string]struct {
		h    http.Header
		pass bool
	}{
		"right":               {header("Authorization", "Basic "+encode("rootfi:pa:ss")), true},
		"scheme in any case":  {header("Authorization", "bASIC "+encode("rootfi:pa:ss")), true},
		"missing":             {header(), false},
		"wrong password":      {header("Authorization", "Basic "+encode("rootfi:guess")), false},
		"wrong user":          {header("Authorization", "Basic "+encode("guess:pa:ss")), false},
		"no password":         {header("Authorization", "Basic "+encode("rootfi:")), false},
		"no colon":            {header("Authorization", "Basic "+encode("rootfi")), false},
		"nothing":             {header("Authorization", "Basic "+encode(":")), false},
		"not base64":          {header("Authorization", "Basic rootfi:pa:ss"), false},
		"bearer":              {header("Authorization", "Bearer "+encode("rootfi:pa:ss")), false},
		"user in other case":  {header("Authorization", "Basic "+encode("Rootfi:pa:ss")), false},
		"moved colon":         {header("Authorization", "Basic "+encode("rootfi:pa:ss:")), false},
		"sent twice":          {header("Authorization", "Basic "+encode("rootfi:pa:ss"), "Authorization", "Basic "+encode("rootfi:pa:ss")), false},
		"scheme without more": {header("Authorization", "Basic "), false},
	} {
		t.Run(name, func(t *testing.T) { expect(t, a, tt.h, "{}", tt.pass) })
	}
	h := build(t, &store{}, func(o *endpoint.Options) {
		o.Sources["rootfi"] = endpoint.Source{Authenticate: []endpoint.Authenticator{a}, Parse: parse}
	}).Handler()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request("/webhooks/rootfi", []byte("{}"), nil))
	if got := w.Header().Get("WWW-Authenticate"); w.Code != 401 || !strings.HasPrefix(got, "Basic ") {
		t.Errorf("status %d, WWW-Authenticate %q", w.Code, got)
	}
}

func sign(newHash func() hash.Hash, secret, text string) []byte {
	mac := hmac.New(newHash, []byte(secret))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func TestHMACOverBody(t *testing.T) {
	const body = `{"a":1}`
	a := must[endpoint.Authenticator](t)(endpoint.HMAC(endpoint.HMACAuth{Header: "X-RootFi-Signature", Secrets: []string{"new", "old"}, Prefix: "sha256="}))
	good := hex.EncodeToString(sign(sha256.New, "new", body))
	for name, tt := range map[string]struct {
		h    http.Header
		body string
		pass bool
	}{
		"right":               {header("x-rootfi-signature", "sha256="+good), body, true},
		"upper-case hex":      {header("x-rootfi-signature", "sha256="+strings.ToUpper(good)), body, true},
		"by the old secret":   {header("x-rootfi-signature", "sha256="+hex.EncodeToString(sign(sha256.New, "old", body))), body, true},
		"by another secret":   {header("x-rootfi-signature", "sha256="+hex.EncodeToString(sign(sha256.New, "guess", body))), body, false},
		"by the empty secret": {header("x-rootfi-signature", "sha256="+hex.EncodeToString(sign(sha256.New, "", body))), body, false},
		"of another body":     {header("x-rootfi-signature", "sha256="+good), `{"a":2}`, false},
		"of an empty body":    {header("x-rootfi-signature", "sha256="+good), ``, false},
		"missing":             {header(), body, false},
		"empty":               {header("x-rootfi-signature", ""), body, false},
		"only the prefix":     {header("x-rootfi-signature", "sha256="), body, false},
		"without the prefix":  {header("x-rootfi-signature", good), body, false},
		"prefix in case":      {header("x-rootfi-signature", "SHA256="+good), body, false},
		"prefix twice":        {header("x-rootfi-signature", "sha256=sha256="+good), body, false},
		"cut short":           {header("x-rootfi-signature", "sha256="+good[:62]), body, false},
		"longer":              {header("x-rootfi-signature", "sha256="+good+"00"), body, false},
		"in base64":           {header("x-rootfi-signature", "sha256="+base64.StdEncoding.EncodeToString(sign(sha256.New, "new", body))), body, false},
		"a list":              {header("x-rootfi-signature", "sha256="+good+",sha256="+good), body, false},
		"twice":               {header("x-rootfi-signature", "sha256="+good, "x-rootfi-signature", "sha256="+good), body, false},
	} {
		t.Run(name, func(t *testing.T) { expect(t, a, tt.h, tt.body, tt.pass) })
	}
}

func TestHMACEncodings(t *testing.T) {
	const body = `{"a":1}`
	// This secret gives a signature whose base64 has both special characters.
	const secret = "s14"
	for name, tt := range map[string]struct {
		o      endpoint.HMACAuth
		header string
		pass   bool
	}{
		"sha512, hex":             {endpoint.HMACAuth{Algorithm: "sha512"}, hex.EncodeToString(sign(sha512.New, secret, body)), true},
		"sha256 for sha512":       {endpoint.HMACAuth{Algorithm: "sha512"}, hex.EncodeToString(sign(sha256.New, secret, body)), false},
		"base64":                  {endpoint.HMACAuth{Encoding: "base64"}, base64.StdEncoding.EncodeToString(sign(sha256.New, secret, body)), true},
		"base64 without padding":  {endpoint.HMACAuth{Encoding: "base64"}, base64.RawStdEncoding.EncodeToString(sign(sha256.New, secret, body)), true},
		"base64url":               {endpoint.HMACAuth{Encoding: "base64url"}, base64.URLEncoding.EncodeToString(sign(sha256.New, secret, body)), true},
		"base64 and base64url":    {endpoint.HMACAuth{Encoding: "base64url"}, strings.Repeat("+", 43), false},
		"base64 with loose bits":  {endpoint.HMACAuth{Encoding: "base64"}, strings.Repeat("/", 43), false},
		"hex where base64 stands": {endpoint.HMACAuth{Encoding: "base64"}, hex.EncodeToString(sign(sha256.New, secret, body)), false},
	} {
		t.Run(name, func(t *testing.T) {
			tt.o.Header, tt.o.Secrets = "Signature", []string{secret}
			a := must[endpoint.Authenticator](t)(endpoint.HMAC(tt.o))
			expect(t, a, header("Signature", tt.header), body, tt.pass)
		})
	}
}

func TestHMACWithTimestampAndID(t *testing.T) {
	const body = `{"a":1}`
	a := must[endpoint.Authenticator](t)(endpoint.HMAC(endpoint.HMACAuth{
		Header: "Sig", Secrets: []string{"s"}, Prefix: "v1=", Signed: "{id}.{timestamp}.{body}",
		TimestampHeader: "Stamp", IDHeader: "Msg-Id",
	}))
	unix := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	signed := func(id, stamp string) string {
		return "v1=" + hex.EncodeToString(sign(sha256.New, "s", id+"."+stamp+"."+body))
	}
	for name, tt := range map[string]struct {
		h    http.Header
		pass bool
	}{
		"right":                   {header("Sig", signed("m1", unix(0)), "Stamp", unix(0), "Msg-Id", "m1"), true},
		"RFC 3339":                {header("Sig", signed("m1", now.Format(time.RFC3339)), "Stamp", now.Format(time.RFC3339), "Msg-Id", "m1"), true},
		"at the edge":             {header("Sig", signed("m1", unix(-5*time.Minute)), "Stamp", unix(-5*time.Minute), "Msg-Id", "m1"), true},
		"replayed later":          {header("Sig", signed("m1", unix(-5*time.Minute-time.Second)), "Stamp", unix(-5*time.Minute-time.Second), "Msg-Id", "m1"), false},
		"from the future":         {header("Sig", signed("m1", unix(6*time.Minute)), "Stamp", unix(6*time.Minute), "Msg-Id", "m1"), false},
		"replayed, new timestamp": {header("Sig", signed("m1", unix(-time.Hour)), "Stamp", unix(0), "Msg-Id", "m1"), false},
		"replayed, new id":        {header("Sig", signed("m1", unix(0)), "Stamp", unix(0), "Msg-Id", "m2"), false},
		"without timestamp":       {header("Sig", signed("m1", ""), "Msg-Id", "m1"), false},
		"empty timestamp":         {header("Sig", signed("m1", ""), "Stamp", "", "Msg-Id", "m1"), false},
		"without id":              {header("Sig", signed("", unix(0)), "Stamp", unix(0)), false},
		"two timestamps":          {header("Sig", signed("m1", unix(0)), "Stamp", unix(0), "Stamp", unix(-time.Hour), "Msg-Id", "m1"), false},
		"negative timestamp":      {header("Sig", signed("m1", "-1"), "Stamp", "-1", "Msg-Id", "m1"), false},
		"signed plus":             {header("Sig", signed("m1", "+"+unix(0)), "Stamp", "+"+unix(0), "Msg-Id", "m1"), false},
		"huge timestamp":          {header("Sig", signed("m1", "99999999999999999999"), "Stamp", "99999999999999999999", "Msg-Id", "m1"), false},
		"milliseconds":            {header("Sig", signed("m1", unix(0)+"000"), "Stamp", unix(0)+"000", "Msg-Id", "m1"), false},
		"not a number":            {header("Sig", signed("m1", "NaN"), "Stamp", "NaN", "Msg-Id", "m1"), false},
		"moved border":            {header("Sig", signed("m1", unix(0)), "Stamp", unix(0)+"."+body, "Msg-Id", "m1"), false},
	} {
		t.Run(name, func(t *testing.T) { expect(t, a, tt.h, body, tt.pass) })
	}
}

func TestStandardWebhooks(t *testing.T) {
	const body = `{"a":1}`
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef01234567"))
	old := "whsec_" + base64.StdEncoding.EncodeToString([]byte("76543210fedcba9876543210"))
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte("guess-guess-guess-guess!"))
	a := must[endpoint.Authenticator](t)(endpoint.StandardWebhooks(endpoint.StandardWebhooksAuth{Secrets: []string{secret, old}}))
	signed := func(secret, id string, at time.Time) string {
		webhook := must[*standardwebhooks.Webhook](t)(standardwebhooks.NewWebhook(secret))
		return must[string](t)(webhook.Sign(id, at, []byte(body)))
	}
	stamp := func(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
	hourAgo := now.Add(-time.Hour)
	for name, tt := range map[string]struct {
		h    http.Header
		body string
		pass bool
	}{
		"right":                   {header("webhook-id", "m", "webhook-timestamp", stamp(now), "webhook-signature", signed(secret, "m", now)), body, true},
		"by the old secret":       {header("webhook-id", "m", "webhook-timestamp", stamp(now), "webhook-signature", signed(old, "m", now)), body, true},
		"several signatures":      {header("webhook-id", "m", "webhook-timestamp", stamp(now), "webhook-signature", signed(other, "m", now)+" v1a,xyz "+signed(secret, "m", now)), body, true},
		"by another secret":       {header("webhook-id", "m", "webhook-timestamp", stamp(now), "webhook-signature", signed(other, "m", now)), body, false},
		"another body":            {header("webhook-id", "m", "webhook-timestamp", stamp(now), "webhook-signature", signed(secret, "m", now)), `{}`, false},
		"another version":         {header("webhook-id", "m", "webhook-timestamp", stamp(now), "webhook-signature", strings.Replace(signed(secret, "m", now), "v1", "v0", 1)), body, false},
		"replayed":                {header("webhook-id", "m", "webhook-timestamp", stamp(hourAgo), "webhook-signature", signed(secret, "m", hourAgo)), body, false},
		"replayed, new timestamp": {header("webhook-id", "m", "webhook-timestamp", stamp(now), "webhook-signature", signed(secret, "m", hourAgo)), body, false},
		"replayed, new id":        {header("webhook-id", "m2", "webhook-timestamp", stamp(now), "webhook-signature", signed(secret, "m", now)), body, false},
		"without timestamp":       {header("webhook-id", "m", "webhook-signature", signed(secret, "m", now)), body, false},
		"without id":              {header("webhook-timestamp", stamp(now), "webhook-signature", signed(secret, "", now)), body, false},
		"without signature":       {header("webhook-id", "m", "webhook-timestamp", stamp(now)), body, false},
		"empty signature":         {header("webhook-id", "m", "webhook-timestamp", stamp(now), "webhook-signature", "v1,"), body, false},
		"two signature headers":   {header("webhook-id", "m", "webhook-timestamp", stamp(now), "webhook-signature", "v1,x", "webhook-signature", signed(secret, "m", now)), body, false},
		"RFC 3339":                {header("webhook-id", "m", "webhook-timestamp", now.Format(time.RFC3339), "webhook-signature", signed(secret, "m", now)), body, false},
	} {
		t.Run(name, func(t *testing.T) { expect(t, a, tt.h, tt.body, tt.pass) })
	}
}

func TestEveryCheckMustPass(t *testing.T) {
	first := must[endpoint.Authenticator](t)(endpoint.Header(endpoint.HeaderAuth{Name: "A", Value: "1"}))
	second := must[endpoint.Authenticator](t)(endpoint.HMAC(endpoint.HMACAuth{Header: "B", Secrets: []string{"s"}}))
	h := build(t, &store{}, func(o *endpoint.Options) {
		o.Sources["rootfi"] = endpoint.Source{Authenticate: []endpoint.Authenticator{first, second}, Parse: parse}
	}).Handler()
	good := hex.EncodeToString(sign(sha256.New, "s", "{}"))
	for name, tt := range map[string]struct {
		headers map[string]string
		status  int
	}{
		"both":            {map[string]string{"A": "1", "B": good}, 202},
		"only the first":  {map[string]string{"A": "1"}, 401},
		"only the second": {map[string]string{"B": good}, 401},
		"none":            {nil, 401},
	} {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, request("/webhooks/rootfi", []byte("{}"), tt.headers)); w.Code != tt.status {
			t.Errorf("%s: status %d, want %d", name, w.Code, tt.status)
		}
	}
}

// unread fails the test when anybody reads the body.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of an unauthenticated request was read")
	return 0, http.ErrBodyReadAfterClose
}

func TestNoBodyIsReadWithoutCredentials(t *testing.T) {
	checks := map[string]endpoint.Authenticator{
		"header": keyed(t)[0],
		"basic":  must[endpoint.Authenticator](t)(endpoint.Basic(endpoint.BasicAuth{Username: "a", Password: "b"})),
		"hmac": must[endpoint.Authenticator](t)(endpoint.HMAC(endpoint.HMACAuth{
			Header: "Sig", Secrets: []string{"s"}, Signed: "{timestamp}.{body}", TimestampHeader: "Stamp"})),
		"standard": must[endpoint.Authenticator](t)(endpoint.StandardWebhooks(endpoint.StandardWebhooksAuth{Secrets: []string{"whsec_MTIzNDU2Nzg5MDEyMzQ1Ng=="}})),
	}
	for name, a := range checks {
		t.Run(name, func(t *testing.T) {
			h := build(t, &store{}, func(o *endpoint.Options) {
				o.Sources["rootfi"] = endpoint.Source{Authenticate: []endpoint.Authenticator{a}, Parse: parse}
			}).Handler()
			r := httptest.NewRequest(http.MethodPost, "/webhooks/rootfi", unread{t})
			r.Header.Set("api_key", "guess")
			r.Header.Set("Sig", strings.Repeat("00", 32))
			r.Header.Set("Stamp", strconv.FormatInt(now.Add(-time.Hour).Unix(), 10))
			r.Header.Set("webhook-id", "m")
			r.Header.Set("webhook-timestamp", strconv.FormatInt(now.Add(-time.Hour).Unix(), 10))
			r.Header.Set("webhook-signature", "v1,x")
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != 401 {
				t.Errorf("status %d", w.Code)
			}
		})
	}
}

func TestAuthenticatorsRefuseSettingsThatDoNotProtect(t *testing.T) {
	ok := endpoint.HMACAuth{Header: "Sig", Secrets: []string{"s"}}
	with := func(change func(*endpoint.HMACAuth)) endpoint.HMACAuth {
		o := ok
		change(&o)
		return o
	}
	for name, o := range map[string]endpoint.HMACAuth{
		"no header":                      with(func(o *endpoint.HMACAuth) { o.Header = "" }),
		"not a header":                   with(func(o *endpoint.HMACAuth) { o.Header = "X Sig" }),
		"no secret":                      with(func(o *endpoint.HMACAuth) { o.Secrets = nil }),
		"an empty secret":                with(func(o *endpoint.HMACAuth) { o.Secrets = []string{"s", " "} }),
		"a secret with a break":          with(func(o *endpoint.HMACAuth) { o.Secrets = []string{secretKey + "\n"} }),
		"unknown algorithm":              with(func(o *endpoint.HMACAuth) { o.Algorithm = "md5" }),
		"unknown encoding":               with(func(o *endpoint.HMACAuth) { o.Encoding = "base32" }),
		"negative tolerance":             with(func(o *endpoint.HMACAuth) { o.Tolerance = -1 }),
		"without body":                   with(func(o *endpoint.HMACAuth) { o.Signed = "{id}"; o.IDHeader = "Id" }),
		"constant":                       with(func(o *endpoint.HMACAuth) { o.Signed = "body" }),
		"unknown placeholder":            with(func(o *endpoint.HMACAuth) { o.Signed = "{body}{url}" }),
		"unclosed":                       with(func(o *endpoint.HMACAuth) { o.Signed = "{body}{id" }),
		"body twice":                     with(func(o *endpoint.HMACAuth) { o.Signed = "{body}{body}" }),
		"timestamp without header":       with(func(o *endpoint.HMACAuth) { o.Signed = "{timestamp}.{body}" }),
		"id without header":              with(func(o *endpoint.HMACAuth) { o.Signed = "{id}.{body}" }),
		"timestamp that is not signed":   with(func(o *endpoint.HMACAuth) { o.TimestampHeader = "Stamp" }),
		"id that is not signed":          with(func(o *endpoint.HMACAuth) { o.IDHeader = "Id" }),
		"timestamp header of no meaning": with(func(o *endpoint.HMACAuth) { o.Signed = "{timestamp}{body}"; o.TimestampHeader = "a b" }),
	} {
		if _, err := endpoint.HMAC(o); err == nil {
			t.Errorf("hmac, %s: no error", name)
		}
	}
	for name, o := range map[string]endpoint.HeaderAuth{
		"no name":         {Value: "x"},
		"not a name":      {Name: "api key", Value: "x"},
		"line break":      {Name: "api\nkey", Value: "x"},
		"no value":        {Name: "api_key"},
		"file with break": {Name: "api_key", Value: secretKey + "\n"},
		"NUL":             {Name: "api_key", Value: "a\x00b"},
		"Host":            {Name: "host", Value: "x"},
	} {
		_, err := endpoint.Header(o)
		if err == nil {
			t.Errorf("header, %s: no error", name)
		} else if strings.Contains(err.Error(), secretKey) {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
	for name, o := range map[string]endpoint.BasicAuth{
		"no user": {Password: "x"}, "no password": {Username: "x"}, "line break": {Username: "x", Password: "y\n"}, "colon": {Username: "a:b", Password: "x"},
	} {
		if _, err := endpoint.Basic(o); err == nil {
			t.Errorf("basic, %s: no error", name)
		}
	}
	for name, secrets := range map[string][]string{
		"none": nil, "empty": {""}, "an empty key": {"whsec_"}, "not base64": {"whsec_" + secretKey}, "the second": {"whsec_MTIz", "!"},
	} {
		_, err := endpoint.StandardWebhooks(endpoint.StandardWebhooksAuth{Secrets: secrets})
		if err == nil {
			t.Errorf("standard webhooks, %s: no error", name)
		} else if strings.Contains(err.Error(), secretKey) {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
}
