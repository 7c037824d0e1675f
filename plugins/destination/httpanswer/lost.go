package httpanswer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// The codes of requests without an answer. They are stored; never rename.
const (
	CodeDNS       = "dns"
	CodeRefused   = "refused"
	CodeReset     = "reset"
	CodeTimeout   = "timeout"
	CodeTLS       = "tls"
	CodeNetwork   = "network"
	CodeCancelled = "cancelled"
)

// Lost says what an error before the answer means: the request may have been
// carried out, so it is to be repeated. The message quotes no URL; what else it
// quotes is the network's, and goes through [redact.Secrets] if in doubt.
func Lost(ctx context.Context, err error) destination.Result {
	err = WithoutURL(err)
	if errors.Is(ctx.Err(), context.Canceled) {
		return destination.Result{Kind: destination.Retry, Code: CodeCancelled, Message: "the write was cancelled before the answer"}
	}
	return destination.Result{Kind: destination.Retry, Code: Code(err), Message: "no answer: " + err.Error()}
}

// Overdue returns an error if the deadline of ctx is over, also where its timer
// has not rung yet: a process that stood still would send first. Call it right
// before a request that writes.
func Overdue(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return context.DeadlineExceeded
	}
	return nil
}

// WithoutURL takes an error out of a url.Error, which would quote the URL.
func WithoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// Code names the sort of an error of the network.
func Code(err error) string {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return CodeTimeout
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return CodeDNS
	}
	if isTLS(err) {
		return CodeTLS
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return CodeRefused
	}
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return CodeReset
	}
	// net/http keeps these two to itself.
	switch text := err.Error(); {
	case strings.Contains(text, "server closed idle connection"):
		return CodeReset
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return CodeTLS
	}
	return CodeNetwork
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
