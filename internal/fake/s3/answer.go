package s3

import (
	"encoding/xml"
	"net/http"
)

// apiError is an error as S3 answers it.
type apiError struct {
	status        int
	code, message string
}

func fail(w http.ResponseWriter, r *http.Request, e apiError) {
	if r.Method == http.MethodHead {
		w.WriteHeader(e.status)
		return
	}
	reply(w, e.status, struct {
		XMLName   struct{} `xml:"Error"`
		Code      string
		Message   string
		Resource  string
		RequestID string `xml:"RequestId"`
	}{Code: e.code, Message: e.message, Resource: r.URL.Path, RequestID: "4442587FB7D0A2F9"})
}

func reply(w http.ResponseWriter, status int, body any) {
	text, err := xml.Marshal(body)
	if err != nil { // the types of this package always marshal
		panic(err)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write(append([]byte(xml.Header), text...))
}
