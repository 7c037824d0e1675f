package chaos

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The ways in which the receiver of the webhook destination misbehaves.
const (
	MisSlow       = "slow"        // it answers late
	MisHang       = "hang"        // it never answers
	MisError      = "error"       // 500
	MisThrottle   = "throttle"    // 429 with Retry-After
	MisHangUp     = "hang-up"     // the connection ends before the request is looked at
	MisAnswerLost = "answer-lost" // the request is taken, the connection ends before the answer
)

// sighting is what the receiver was told of a record, in the order in which it
// was told.
type sighting struct {
	Key     string
	Version int64
	Deleted bool
	Fields  map[string]json.RawMessage
}

// receiver is the other end of the webhook destination. It keeps what it has
// seen, refuses some records for good, and misbehaves when it is told to.
type receiver struct {
	url    string
	server *http.Server
	done   chan struct{}

	mu     sync.Mutex
	how    string
	amount time.Duration
	until  chan struct{} // closed when the misbehaviour is over
	seen   []sighting
}

func newReceiver() (*receiver, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + l.Addr().String(), done: make(chan struct{}), until: make(chan struct{})}
	r.server = &http.Server{Handler: r}
	go func() {
		defer close(r.done)
		_ = r.server.Serve(l) // ends in close
	}()
	return r, nil
}

func (r *receiver) close() {
	r.behave()
	_ = r.server.Close()
	<-r.done
}

func (r *receiver) misbehave(how string, amount time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.how, r.amount = how, amount
}

// behave ends the misbehaviour; those whom it left hanging are cut off.
func (r *receiver) behave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.how = ""
	close(r.until)
	r.until = make(chan struct{})
}

// refused says which records the receiver never takes.
func refused(model, platformID string) bool {
	h := fnv.New32a()
	_, _ = io.WriteString(h, model+"/"+platformID)
	return h.Sum32()%97 == 0
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	how, amount, until := r.how, r.amount, r.until
	r.mu.Unlock()
	if how == MisHangUp {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the sender is gone
	}
	switch how {
	case MisHang:
		select {
		case <-until:
		case <-req.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case MisError:
		http.Error(w, "not now", http.StatusInternalServerError)
		return
	case MisThrottle:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too fast", http.StatusTooManyRequests)
		return
	}
	code := r.take(body)
	switch how {
	case MisAnswerLost:
		panic(http.ErrAbortHandler)
	case MisSlow:
		select {
		case <-time.After(amount):
		case <-req.Context().Done():
		}
	}
	w.WriteHeader(code)
}

// take writes down what a request says. Requests of several records are refused
// as a whole when one of them is.
func (r *receiver) take(body []byte) (status int) {
	var messages []struct {
		Object    string                     `json:"object"`
		Version   int64                      `json:"version"`
		Operation string                     `json:"operation"`
		Fields    map[string]json.RawMessage `json:"fields"`
		Key       map[string]string          `json:"key"`
		Origin    struct {
			Model string `json:"model"`
		} `json:"origin"`
	}
	if !strings.HasPrefix(string(body), "[") {
		body = fmt.Appendf(nil, "[%s]", body)
	}
	if err := json.Unmarshal(body, &messages); err != nil {
		return http.StatusBadRequest
	}
	for _, m := range messages {
		if refused(m.Origin.Model, m.Key["_platform_id"]) {
			return http.StatusUnprocessableEntity
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range messages {
		r.seen = append(r.seen, sighting{
			Key:     recordKey(m.Key["_company_id"], m.Origin.Model, m.Key["_platform_id"]),
			Version: m.Version, Deleted: m.Operation == "delete", Fields: m.Fields,
		})
	}
	return http.StatusOK
}

func (r *receiver) sightings() []sighting {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

func recordKey(company, model, platformID string) string {
	return company + "/" + model + "/" + platformID
}
