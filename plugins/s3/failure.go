package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/sluicehq/sluice/plugins/destination"
)

// shortWait is how long to wait when a store throttles without saying until when.
const shortWait = 5 * time.Second

// maxWait bounds what a store may ask for.
const maxWait = time.Hour

// kinds says what the error codes of S3 mean. A code that is not here is judged
// by the status of its answer.
var kinds = map[string]destination.ResultKind{
	"PreconditionFailed": destination.Delivered, // the object is there, and overwrite is off

	"SlowDown": destination.Throttled, "SlowDownWrite": destination.Throttled, "Throttling": destination.Throttled,
	"ThrottlingException": destination.Throttled, "RequestLimitExceeded": destination.Throttled,
	"RequestThrottled": destination.Throttled, "TooManyRequests": destination.Throttled,

	"KeyTooLongError": destination.Rejected,

	"NoSuchBucket": destination.Misconfigured, "InvalidBucketName": destination.Misconfigured,
	"PermanentRedirect": destination.Misconfigured, "TemporaryRedirect": destination.Misconfigured,
	"AuthorizationHeaderMalformed": destination.Misconfigured, "RequestTimeTooSkewed": destination.Misconfigured,
	"InvalidArgument": destination.Misconfigured, "InvalidRequest": destination.Misconfigured,
	"InvalidStorageClass": destination.Misconfigured, "NotImplemented": destination.Misconfigured,
	"EntityTooLarge": destination.Misconfigured, "ExpiredToken": destination.Misconfigured,

	"ConditionalRequestConflict": destination.Retry, "OperationAborted": destination.Retry,
	"RequestTimeout": destination.Retry, "BadDigest": destination.Retry, "IncompleteBody": destination.Retry,
	"NoSuchUpload": destination.Retry, "InvalidPart": destination.Retry, "XAmzContentSHA256Mismatch": destination.Retry,
}

// hints say what to do about an error, beside what the store says.
var hints = map[string]string{
	"AccessDenied":          "give the user s3:PutObject on the bucket, and with encryption kms the use of the key",
	"InvalidAccessKeyId":    "check access_key_id",
	"SignatureDoesNotMatch": "check secret_access_key",
	"NoSuchBucket":          "check bucket and endpoint, or create the bucket",
	"PermanentRedirect":     "check region and endpoint",
	"RequestTimeTooSkewed":  "set the clock of this machine",
	"EntityTooLarge":        "lower max_batch of the destination",
	"NotImplemented":        "the store does not know one of: overwrite: false, encryption, storage_class",
}

// resultOf translates an error into the result of the records that it hit.
func (d *s3) resultOf(ctx context.Context, err error) destination.Result {
	if err == nil {
		return destination.Result{Kind: destination.Delivered}
	}
	if e, ok := errors.AsType[minio.ErrorResponse](err); ok && (e.Code != "" || e.StatusCode != 0) {
		return d.resultOfAnswer(e)
	}
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	if e, ok := errors.AsType[*sourcesError](err); ok {
		r := destination.Result{Kind: destination.Misconfigured, Code: "NO_CREDENTIALS", Message: d.clean("no credentials were found: " + e.text)}
		if e.passes {
			r.Kind = destination.Retry
		}
		return r
	}
	// url.Error would quote a signed address.
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return destination.Result{Kind: destination.Retry, Code: codeOf(err), Message: d.clean("no answer: " + err.Error())}
}

func (d *s3) resultOfAnswer(e minio.ErrorResponse) destination.Result {
	r := destination.Result{Code: d.clean(e.Code), Message: d.clean("the store answered " + e.Code + ": " + e.Message)}
	if r.Code == "" || strings.Contains(r.Code, " ") { // not XML: the client gives the line of the status
		r.Code = "HTTP_" + strconv.Itoa(e.StatusCode)
	}
	if hint := hints[e.Code]; hint != "" {
		r.Message += " (" + hint + ")"
	}
	kind, known := kinds[e.Code]
	switch {
	case known:
		r.Kind = kind
	case e.StatusCode == http.StatusTooManyRequests:
		r.Kind = destination.Throttled
	case e.StatusCode == http.StatusUnauthorized, e.StatusCode == http.StatusForbidden:
		r.Kind = destination.Misconfigured
	case strings.HasPrefix(e.Code, "KMS."):
		r.Kind = destination.Misconfigured
	}
	if r.Kind == destination.Delivered {
		return destination.Result{Kind: destination.Delivered}
	}
	if r.Kind == destination.Throttled {
		r.Until = d.waits.until(time.Now())
	}
	return r
}

func (d *s3) clean(text string) string { return d.options.secrets.clean(text) }

func codeOf(err error) string {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "TIMEOUT"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "DNS"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "TLS"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "TLS"
	}
	if _, ok := errors.AsType[*net.OpError](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "NETWORK"
	}
	return "S3"
}

func cancelled(ctx context.Context) destination.Result {
	r := destination.Result{Kind: destination.Retry, Code: "CANCELLED", Message: "the write was cancelled before the store answered"}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		r.Code, r.Message = "TIMEOUT", "the store did not answer in time"
	}
	return r
}

// failureOf is the result of a check as an error.
func failureOf(r destination.Result) error {
	return &destination.Failure{Kind: r.Kind, Code: r.Code, Until: r.Until, Err: errors.New(r.Message)}
}

// waits notes the last Retry-After, which the client drops.
type waits struct {
	next http.RoundTripper

	mu   sync.Mutex
	last time.Time
}

// RoundTrip implements [http.RoundTripper].
func (w *waits) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	if err == nil && (resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests) {
		seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if err == nil && seconds >= 0 {
			w.mu.Lock()
			w.last = time.Now().Add(min(time.Duration(seconds)*time.Second, maxWait))
			w.mu.Unlock()
		}
	}
	return resp, err
}

// until is when to try again after a throttled answer.
func (w *waits) until(now time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last.After(now) {
		return w.last
	}
	return now.Add(shortWait)
}
