package endpoint

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"
)

// isJSON reports whether the content type is JSON. RootFi documents none, so a
// request without one passes; the parser decides.
func isJSON(h http.Header) bool {
	values := h["Content-Type"]
	if len(values) == 0 || len(values) == 1 && (values[0] == "application/json" || values[0] == "") {
		return true
	}
	if len(values) > 1 {
		return false
	}
	media, params, err := mime.ParseMediaType(values[0])
	if err != nil {
		return false
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	return media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// isCompressed reads the content encoding; the error is a *problem.
func isCompressed(h http.Header) (bool, error) {
	values := h["Content-Encoding"]
	if len(values) == 0 {
		return false, nil
	}
	if len(values) == 1 {
		switch strings.ToLower(values[0]) {
		case "", "identity":
			return false, nil
		case "gzip", "x-gzip":
			return true, nil
		}
	}
	return false, problemEncoding
}

// smallBody is what a request may need without asking for memory: larger bodies
// are counted as they arrive, not as they claim.
const smallBody = 64 << 10

var (
	scratch = sync.Pool{New: func() any { return new([smallBody]byte) }}
	inflate = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// readBody returns the whole body, decompressed, in memory of its own. limit
// holds before and after decompression. Errors are *problem.
func readBody(w http.ResponseWriter, r *http.Request, compressed bool, limit int64, held *lease) ([]byte, error) {
	if n := r.ContentLength; !compressed && n >= 0 && n <= smallBody {
		body := make([]byte, n)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return nil, readProblem(err, false)
		}
		return body, nil
	}

	src := io.Reader(http.MaxBytesReader(w, r.Body, limit))
	expected := r.ContentLength
	if compressed {
		expected = -1
		zr := inflate.Get().(*gzip.Reader)
		defer inflate.Put(zr)
		if err := zr.Reset(src); err != nil {
			return nil, readProblem(err, true)
		}
		src = zr
	}

	first := scratch.Get().(*[smallBody]byte)
	defer scratch.Put(first)
	buf := first[:0]
	for {
		if len(buf) == cap(buf) {
			// One byte more than the limit, to see that it is exceeded.
			size := min(2*int64(cap(buf)), limit+1)
			if expected >= 0 {
				size = min(size, max(expected, int64(len(buf)))+1)
			}
			if !held.grow(size) {
				return nil, problemMemory
			}
			buf = append(make([]byte, 0, size), buf...)
		}
		n, err := src.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, problemTooLarge
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, readProblem(err, compressed)
		}
	}
	if len(buf) <= smallBody {
		return bytes.Clone(buf), nil // the scratch buffer goes back to its pool
	}
	return buf, nil
}

func readProblem(err error, compressed bool) *problem {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problemTooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return problemSlow
	}
	if _, ok := errors.AsType[flate.CorruptInputError](err); ok || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return problemCorrupt
	}
	if compressed && (err == io.EOF || err == io.ErrUnexpectedEOF) {
		return problemCorrupt
	}
	return problemIncomplete
}
