package s3

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
)

// upload is a multipart upload that is not complete.
type upload struct {
	key    string
	header http.Header
	parts  map[int][]byte
}

// minPart is the smallest size of a part that is not the last one.
const minPart = 5 << 20

type initiated struct {
	XMLName  struct{} `xml:"InitiateMultipartUploadResult"`
	Bucket   string
	Key      string
	UploadID string `xml:"UploadId"`
}

type completed struct {
	XMLName struct{} `xml:"CompleteMultipartUploadResult"`
	Bucket  string
	Key     string
	ETag    string
}

type completion struct {
	Parts []struct {
		PartNumber int
		ETag       string
	} `xml:"Part"`
}

func (s *Store) multipart(w http.ResponseWriter, r *http.Request, query url.Values, key string, body []byte) {
	if query.Has("uploads") {
		s.mu.Lock()
		s.uploadID++
		id := "upload-" + strconv.Itoa(s.uploadID)
		s.uploads[id] = &upload{key: key, header: r.Header.Clone(), parts: map[int][]byte{}}
		s.mu.Unlock()
		reply(w, http.StatusOK, initiated{Bucket: s.options.Bucket, Key: key, UploadID: id})
		return
	}
	id := query.Get("uploadId")
	s.mu.Lock()
	u := s.uploads[id]
	s.mu.Unlock()
	if u == nil || u.key != key {
		fail(w, r, apiError{http.StatusNotFound, "NoSuchUpload", "The specified multipart upload does not exist."})
		return
	}
	switch r.Method {
	case http.MethodPut:
		number, err := strconv.Atoi(query.Get("partNumber"))
		if err != nil || number < 1 || number > 10_000 {
			fail(w, r, apiError{http.StatusBadRequest, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive"})
			return
		}
		s.mu.Lock()
		u.parts[number] = body
		s.mu.Unlock()
		w.Header().Set("ETag", etag(body))
	case http.MethodDelete:
		s.mu.Lock()
		delete(s.uploads, id)
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPost:
		whole, problem := s.join(u, body)
		if problem != nil {
			fail(w, r, *problem)
			return
		}
		s.mu.Lock()
		delete(s.uploads, id)
		s.mu.Unlock()
		s.put(w, r, key, whole, u.header)
	}
}

func (s *Store) join(u *upload, body []byte) ([]byte, *apiError) {
	var c completion
	if err := xml.Unmarshal(body, &c); err != nil || len(c.Parts) == 0 {
		return nil, &apiError{http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var whole bytes.Buffer
	last := 0
	for i, p := range c.Parts {
		part, ok := u.parts[p.PartNumber]
		switch {
		case p.PartNumber <= last:
			return nil, &apiError{http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order."}
		case !ok || p.ETag != etag(part) && `"`+p.ETag+`"` != etag(part):
			return nil, &apiError{http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found."}
		case len(part) < minPart && i < len(c.Parts)-1:
			return nil, &apiError{http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"}
		}
		last = p.PartNumber
		whole.Write(part)
	}
	return whole.Bytes(), nil
}
