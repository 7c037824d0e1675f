package main

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/sluicehq/sluice/plugins/destination"
)

// outcomes says what each error of the operating system means. Those that are
// not listed may pass.
var outcomes = []struct {
	errno syscall.Errno
	code  string
	kind  destination.ResultKind
}{
	{syscall.ENOSPC, "ENOSPC", destination.Retry},
	{syscall.EDQUOT, "EDQUOT", destination.Retry},
	{syscall.EIO, "EIO", destination.Retry},
	{syscall.EMFILE, "EMFILE", destination.Retry},
	{syscall.ENFILE, "ENFILE", destination.Retry},
	{syscall.ESTALE, "ESTALE", destination.Retry},
	{syscall.EFBIG, "EFBIG", destination.Misconfigured},
	{syscall.EACCES, "EACCES", destination.Misconfigured},
	{syscall.EPERM, "EPERM", destination.Misconfigured},
	{syscall.EROFS, "EROFS", destination.Misconfigured},
	{syscall.ENOTDIR, "ENOTDIR", destination.Misconfigured},
	{syscall.EISDIR, "EISDIR", destination.Misconfigured},
	{syscall.ELOOP, "ELOOP", destination.Misconfigured},
	{syscall.ENAMETOOLONG, "ENAMETOOLONG", destination.Rejected},
}

// resultOf translates an error into the result of the records that it hit.
func resultOf(err error) destination.Result {
	if f, ok := errors.AsType[*destination.Failure](err); ok {
		return destination.Result{Kind: f.Kind, Code: f.Code, Message: err.Error(), Until: f.Until}
	}
	r := destination.Result{Kind: destination.Retry, Code: "IO", Message: err.Error()}
	if errors.Is(err, errForeign) {
		r.Kind, r.Code = destination.Misconfigured, "FOREIGN_FILE"
		return r
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		r.Code = "CANCELLED"
		return r
	}
	for _, o := range outcomes {
		if errors.Is(err, o.errno) {
			r.Kind, r.Code = o.kind, o.code
			return r
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		r.Code = "ENOENT" // somebody removed the directory; it is made again
	}
	return r
}

// failureOf translates an error that holds for a whole call.
func failureOf(err error) error {
	r := resultOf(err)
	return &destination.Failure{Kind: r.Kind, Code: r.Code, Err: err}
}

// rejected is the result of a record that can never be written.
func rejected(code string, err error) destination.Result {
	return destination.Result{Kind: destination.Rejected, Code: code, Message: err.Error()}
}
