package s3

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	unsigned  = "UNSIGNED-PAYLOAD"
	streaming = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	maxSkew   = 15 * time.Minute
)

// signature is what the Authorization header says.
type signature struct {
	accessKey, date, region string
	headers                 []string
	value                   string
}

// verify checks the signature (version 4) and the checksums, and returns the
// body without the framing of a streaming upload.
func (s *Store) verify(r *http.Request) ([]byte, *apiError) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, &apiError{http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header"}
	}
	sig, ok := parseSignature(r.Header.Get("Authorization"))
	if !ok {
		return nil, &apiError{http.StatusForbidden, "AccessDenied", "Access Denied"}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || at.Format("20060102") != sig.date {
		return nil, &apiError{http.StatusForbidden, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"}
	}
	if skew := time.Since(at).Abs(); skew > maxSkew {
		return nil, &apiError{http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."}
	}
	if sig.accessKey != s.options.AccessKeyID {
		return nil, &apiError{http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}
	}
	if sig.region != s.options.Region {
		return nil, &apiError{http.StatusBadRequest, "AuthorizationHeaderMalformed", "The region " + sig.region + " is wrong; expecting " + s.options.Region}
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	scope := sig.date + "/" + sig.region + "/s3/aws4_request"
	canonical := hash([]byte(canonicalRequest(r, sig.headers, payload)))
	key := s.signingKey(sig)
	want := sign(key, strings.Join([]string{algorithm, r.Header.Get("X-Amz-Date"), scope, canonical}, "\n"))
	if !hmac.Equal([]byte(want), []byte(sig.value)) {
		return nil, mismatch()
	}
	body := raw
	switch payload {
	case unsigned:
	case streaming:
		var problem *apiError
		if body, problem = unchunk(raw, key, r.Header.Get("X-Amz-Date"), scope, sig.value); problem != nil {
			return nil, problem
		}
		if r.Header.Get("X-Amz-Decoded-Content-Length") != strconv.Itoa(len(body)) {
			return nil, &apiError{http.StatusBadRequest, "IncompleteBody", "The body is shorter than it should be"}
		}
	default:
		if payload != hash(raw) {
			return nil, &apiError{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."}
		}
	}
	return body, digest(r.Header, body)
}

func mismatch() *apiError {
	return &apiError{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."}
}

func parseSignature(header string) (signature, bool) {
	text, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok {
		return signature{}, false
	}
	parts := map[string]string{}
	for p := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		parts[name] = value
	}
	credential := strings.Split(parts["Credential"], "/")
	if len(credential) != 5 || credential[3] != "s3" || credential[4] != "aws4_request" {
		return signature{}, false
	}
	return signature{
		accessKey: credential[0], date: credential[1], region: credential[2],
		headers: strings.Split(parts["SignedHeaders"], ";"), value: parts["Signature"],
	}, true
}

func canonicalRequest(r *http.Request, headers []string, payload string) string {
	var b strings.Builder
	path := strings.Split(r.URL.Path, "/")
	for i := range path {
		path[i] = escape(path[i])
	}
	fmt.Fprintf(&b, "%s\n%s\n", r.Method, strings.Join(path, "/"))
	var query []string
	for name, values := range r.URL.Query() {
		for _, value := range values {
			query = append(query, escape(name)+"="+escape(value))
		}
	}
	slices.Sort(query)
	b.WriteString(strings.Join(query, "&") + "\n")
	for _, name := range headers {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		b.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	b.WriteString("\n" + strings.Join(headers, ";") + "\n" + payload)
	return b.String()
}

func (s *Store) signingKey(sig signature) []byte {
	key := []byte("AWS4" + s.options.SecretAccessKey)
	for _, part := range []string{sig.date, sig.region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	return key
}

// unchunk takes the chunks of a streaming upload apart and checks the signature
// of each.
func unchunk(raw, key []byte, at, scope, previous string) ([]byte, *apiError) {
	var body []byte
	for {
		line, rest, ok := bytes.Cut(raw, []byte("\r\n"))
		size, sig, ok2 := strings.Cut(string(line), ";chunk-signature=")
		n, err := strconv.ParseUint(size, 16, 31)
		if !ok || !ok2 || err != nil || uint64(len(rest)) < n+2 {
			return nil, &apiError{http.StatusBadRequest, "IncompleteBody", "The request body terminated unexpectedly"}
		}
		chunk := rest[:n]
		want := sign(key, strings.Join([]string{algorithm + "-PAYLOAD", at, scope, previous, hash(nil), hash(chunk)}, "\n"))
		if !hmac.Equal([]byte(want), []byte(sig)) {
			return nil, mismatch()
		}
		if n == 0 {
			return body, nil
		}
		body, raw, previous = append(body, chunk...), rest[n+2:], want
	}
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sign(key []byte, text string) string { return hex.EncodeToString(mac(key, text)) }

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
