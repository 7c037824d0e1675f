package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// shortWait is how long to wait when an endpoint throttles without saying until when.
const shortWait = 5 * time.Second

// The codes of network errors. They are stored; never rename.
const (
	codeAddress   = "address_refused"
	codeDNS       = "dns"
	codeRefused   = "refused"
	codeReset     = "reset"
	codeTimeout   = "timeout"
	codeTLS       = "tls"
	codeNetwork   = "network"
	codeCancelled = "cancelled"
)

// resultOfAnswer says what an HTTP answer means for the records of its request.
func resultOfAnswer(status int, header http.Header, body []byte, redact redactor, now time.Time) destination.Result {
	if status >= 200 && status <= 299 {
		return destination.Result{Kind: destination.Delivered}
	}
	r := destination.Result{Code: fmt.Sprintf("http_%d", status)}
	r.Message = fmt.Sprintf("the endpoint answered %d %s", status, http.StatusText(status))
	if quote := redact.quote(body); quote != "" {
		r.Message += ": " + quote
	}
	until, told := retryAfter(header.Get("Retry-After"), now)
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && told:
		r.Kind, r.Until = destination.Throttled, until
		if !told {
			r.Until = now.Add(shortWait)
		}
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		r.Kind = destination.Misconfigured
	case status == http.StatusMovedPermanently, status == http.StatusFound, status == http.StatusSeeOther,
		status == http.StatusTemporaryRedirect, status == http.StatusPermanentRedirect:
		r.Kind = destination.Misconfigured
		r.Message = fmt.Sprintf("the endpoint answered %d: redirects are not followed; set url to the address that takes the requests", status)
		if u, err := url.Parse(header.Get("Location")); err == nil && u.Host != "" {
			r.Message += " (it redirects to the host " + redact.quote([]byte(u.Hostname())) + ")"
		}
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= 500, status < 200:
		r.Kind = destination.Retry
	default:
		r.Kind = destination.Rejected
	}
	return r
}

// resultOfError says what an error before the answer means.
func resultOfError(ctx context.Context, err error, redact redactor) destination.Result {
	// url.Error would quote the URL.
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*refusedError](err); ok {
		return destination.Result{Kind: destination.Misconfigured, Code: codeAddress, Message: e.Error()}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return cancelled()
	}
	return destination.Result{Kind: destination.Retry, Code: codeOf(err), Message: redact.quote([]byte("no answer: " + err.Error()))}
}

func cancelled() destination.Result {
	return destination.Result{Kind: destination.Retry, Code: codeCancelled, Message: "the write was cancelled before the endpoint answered"}
}

func codeOf(err error) string {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return codeTimeout
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return codeDNS
	}
	if isTLS(err) {
		return codeTLS
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return codeRefused
	}
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return codeReset
	}
	// net/http keeps these two to itself.
	switch text := err.Error(); {
	case strings.Contains(text, "server closed idle connection"):
		return codeReset
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return codeTLS
	}
	return codeNetwork
}

func isTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	e, ok := errors.AsType[*net.OpError](err)
	return ok && (e.Op == "remote error" || e.Op == "local error") // crypto/tls names alerts so
}
