package endpoint_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sluicehq/sluice/internal/endpoint"
)

// FuzzSignatures gives any headers to the checks of signatures: no panic, and
// what passes is the signature, by the secret, of this very request.
func FuzzSignatures(f *testing.F) {
	stamp := strconv.FormatInt(now.Unix(), 10)
	good := hex.EncodeToString(sign(sha256.New, secretKey, "m1."+stamp+".{}"))
	f.Add("v1="+good, stamp, "m1", []byte("{}"))
	f.Add("v1="+strings.ToUpper(good), now.Format("2006-01-02T15:04:05Z07:00"), "m1", []byte("{}"))
	f.Add("v1,"+base64.StdEncoding.EncodeToString(sign(sha256.New, "key", "m1."+stamp+".{}")), stamp, "m1", []byte("{}"))
	f.Add("v1=, v1,", "-1", "", []byte("\x00"))
	f.Add("v1=", "9999999999999999999", "\x00", []byte(nil))

	hmac := must[endpoint.Authenticator](f)(endpoint.HMAC(endpoint.HMACAuth{
		Header: "Sig", Secrets: []string{secretKey}, Prefix: "v1=", Signed: "{id}.{timestamp}.{body}", TimestampHeader: "Stamp", IDHeader: "Id",
	}))
	standard := must[endpoint.Authenticator](f)(endpoint.StandardWebhooks(endpoint.StandardWebhooksAuth{
		Secrets: []string{"whsec_" + base64.StdEncoding.EncodeToString([]byte("key"))},
	}))
	f.Fuzz(func(t *testing.T, signature, stamp, id string, body []byte) {
		h := http.Header{"Sig": {signature}, "Stamp": {stamp}, "Id": {id}}
		if check(hmac, h, string(body)) == nil {
			want := "v1=" + hex.EncodeToString(sign(sha256.New, secretKey, id+"."+stamp+"."+string(body)))
			if !strings.EqualFold(signature, want) || id == "" {
				t.Errorf("%q passes, want %q", signature, want)
			}
		}
		h = http.Header{
			http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookSignature): {signature},
			http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookTimestamp): {stamp},
			http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookID):        {id},
		}
		if check(standard, h, string(body)) == nil {
			want := base64.StdEncoding.EncodeToString(sign(sha256.New, "key", id+"."+stamp+"."+string(body)))
			if !strings.Contains(signature, "v1,"+want) {
				t.Errorf("%q passes, want v1,%s", signature, want)
			}
		}
	})
}

// FuzzCredentials gives any header to the checks of fixed credentials: only
// those that are configured pass.
func FuzzCredentials(f *testing.F) {
	header := must[endpoint.Authenticator](f)(endpoint.Header(endpoint.HeaderAuth{Name: "Authorization", Value: secretKey}))
	basic := must[endpoint.Authenticator](f)(endpoint.Basic(endpoint.BasicAuth{Username: "rootfi", Password: secretKey}))
	f.Add(secretKey)
	f.Add("Basic " + base64.StdEncoding.EncodeToString([]byte("rootfi:"+secretKey)))
	f.Add("Basic " + base64.StdEncoding.EncodeToString([]byte("rootfi:")))
	f.Add("Basic ====")
	f.Fuzz(func(t *testing.T, value string) {
		h := http.Header{"Authorization": {value}}
		if passes := check(header, h, "{}") == nil; passes != (value == secretKey) {
			t.Errorf("header: %q passes = %t", value, passes)
		}
		if check(basic, h, "{}") == nil {
			scheme, encoded, _ := strings.Cut(value, " ")
			plain, err := base64.StdEncoding.DecodeString(encoded)
			if !strings.EqualFold(scheme, "basic") || err != nil || string(plain) != "rootfi:"+secretKey {
				t.Errorf("basic: %q passes", value)
			}
		}
	})
}
