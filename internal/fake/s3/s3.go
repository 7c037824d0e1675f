// Package s3 is an object store that speaks enough of the S3 API to test writers
// against: signatures, checksums, multipart uploads, conditional writes, XML
// errors, and faults on demand. It keeps everything in memory.
package s3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Options are what a store starts with.
type Options struct {
	Bucket          string
	Region          string
	AccessKeyID     string
	SecretAccessKey string
	// Host is the name under which buckets are part of the host name; empty
	// leaves path-style requests only.
	Host string
}

// Object is what is kept of an object.
type Object struct {
	Body   []byte
	Header http.Header // of the request that wrote it, or that began its upload
	Writes int         // how often it was written
}

// Fault is what the store does to requests instead of what they ask for.
type Fault struct {
	Method     string // "" is any
	Status     int
	Code       string
	RetryAfter string
	// Truncate reads a part of the body and closes the connection.
	Truncate bool
	// LoseAnswer does the work and closes the connection.
	LoseAnswer bool
	Times      int
}

// Store is an [http.Handler].
type Store struct {
	options Options

	mu       sync.Mutex
	objects  map[string]Object
	uploads  map[string]*upload
	uploadID int
	faults   []Fault
	requests int
}

// New makes a store with one empty bucket.
func New(o Options) *Store {
	return &Store{options: o, objects: map[string]Object{}, uploads: map[string]*upload{}}
}

// Objects returns a copy of what the bucket holds.
func (s *Store) Objects() map[string]Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.objects)
}

// Uploads is how many multipart uploads are neither completed nor aborted.
func (s *Store) Uploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}

// Requests is how many requests came.
func (s *Store) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Fail adds a fault. Faults are used up in their order.
func (s *Store) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

func (s *Store) fault(method string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	for i := range s.faults {
		f := &s.faults[i]
		if f.Method != "" && f.Method != method {
			continue
		}
		found := *f
		if f.Times--; f.Times <= 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return found, true
	}
	return Fault{}, false
}

// ServeHTTP implements [http.Handler].
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, faulty := s.fault(r.Method)
	if faulty && f.Truncate {
		_, _ = io.CopyN(io.Discard, r.Body, 10)
		panic(http.ErrAbortHandler) // closes the connection
	}
	bucket, key := s.address(r)
	body, problem := s.verify(r)
	switch {
	case faulty && !f.LoseAnswer:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		fail(w, r, apiError{f.Status, f.Code, "a fault on demand"})
	case problem != nil:
		fail(w, r, *problem)
	case bucket != s.options.Bucket:
		fail(w, r, apiError{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"})
	default:
		if faulty {
			s.handle(discard{http.Header{}}, r, key, body)
			panic(http.ErrAbortHandler)
		}
		s.handle(w, r, key, body)
	}
}

// discard is an answer that nobody gets.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// address finds bucket and key in the path or in the host name.
func (s *Store) address(r *http.Request) (bucket, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	if s.options.Host != "" {
		if bucket, ok := strings.CutSuffix(r.Host, "."+s.options.Host); ok {
			return bucket, path
		}
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

func (s *Store) handle(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	query := r.URL.Query()
	switch {
	case key == "" && r.Method == http.MethodGet && query.Has("location"):
		reply(w, http.StatusOK, struct {
			XMLName struct{} `xml:"LocationConstraint"`
			Region  string   `xml:",chardata"`
		}{Region: s.options.Region})
	case key == "" && r.Method == http.MethodHead:
		w.WriteHeader(http.StatusOK)
	case key == "":
		fail(w, r, apiError{http.StatusNotImplemented, "NotImplemented", "The fake does not know this request"})
	case r.Method == http.MethodPost, query.Has("uploadId"):
		s.multipart(w, r, query, key, body)
	case r.Method == http.MethodPut:
		s.put(w, r, key, body, r.Header)
	case r.Method == http.MethodDelete:
		s.mu.Lock()
		delete(s.objects, key)
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		s.mu.Lock()
		o, ok := s.objects[key]
		s.mu.Unlock()
		if !ok {
			fail(w, r, apiError{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."})
			return
		}
		w.Header().Set("ETag", etag(o.Body))
		_, _ = w.Write(o.Body)
	default:
		fail(w, r, apiError{http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource."})
	}
}

// put writes an object; header is that of its first request.
func (s *Store) put(w http.ResponseWriter, r *http.Request, key string, body []byte, header http.Header) {
	if len(key) > 1024 {
		fail(w, r, apiError{http.StatusBadRequest, "KeyTooLongError", "Your key is too long"})
		return
	}
	s.mu.Lock()
	old, exists := s.objects[key]
	refused := exists && r.Header.Get("If-None-Match") == "*"
	if !refused {
		s.objects[key] = Object{Body: body, Header: header.Clone(), Writes: old.Writes + 1}
	}
	s.mu.Unlock()
	if refused {
		fail(w, r, apiError{http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"})
		return
	}
	w.Header().Set("ETag", etag(body))
	if r.Method == http.MethodPost {
		reply(w, http.StatusOK, completed{Bucket: s.options.Bucket, Key: key, ETag: etag(body)})
		return
	}
	w.WriteHeader(http.StatusOK)
}

func etag(body []byte) string {
	sum := md5.Sum(body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// digest checks Content-MD5 where it is given.
func digest(h http.Header, body []byte) *apiError {
	want := h.Get("Content-Md5")
	sum := md5.Sum(body)
	if want != "" && want != base64.StdEncoding.EncodeToString(sum[:]) {
		return &apiError{http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received."}
	}
	return nil
}

// escape is the encoding of a canonical request.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}
