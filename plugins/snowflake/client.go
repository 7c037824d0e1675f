package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// client speaks Snowflake's SQL API.
type client struct {
	base            string // without a slash at its end
	key             *key
	warehouse, role string
	http            *http.Client
}

// statement is what one request does.
type statement struct {
	sql      string   // several are separated by ";\n"
	bindings []string // of one statement only
}

// apiError is an answer that is an error.
type apiError struct {
	status        int
	code, message string
	retryAfter    string // the header
}

func (e *apiError) Error() string {
	if e.message == "" {
		return fmt.Sprintf("Snowflake answers %d", e.status)
	}
	return fmt.Sprintf("Snowflake answers %d: %s %s", e.status, e.code, e.message)
}

// reply is the body of an answer.
type reply struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Handle  string  `json:"statementHandle"`
	Data    [][]any `json:"data"`
}

// maxAnswer bounds what is read of an answer: no statement of ours has a long one.
const maxAnswer = 8 << 20

// run runs a statement to its end. A request whose answer is lost is sent again
// under its id, so that Snowflake does not do it twice.
func (c *client) run(ctx context.Context, s statement) (*reply, error) {
	body := map[string]any{
		"statement": s.sql, "timeout": 300,
		"parameters": map[string]string{"MULTI_STATEMENT_COUNT": "0", "TIMEZONE": "UTC", "QUERY_TAG": "sluice"},
	}
	if c.warehouse != "" {
		body["warehouse"] = c.warehouse
	}
	if c.role != "" {
		body["role"] = c.role
	}
	if len(s.bindings) > 0 {
		bindings := map[string]any{}
		for i, value := range s.bindings {
			bindings[strconv.Itoa(i+1)] = map[string]string{"type": "TEXT", "value": value}
		}
		body["bindings"] = bindings
		body["parameters"] = map[string]string{"TIMEZONE": "UTC", "QUERY_TAG": "sluice"}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	query := url.Values{"requestId": {uuid.NewString()}}
	for try := 0; ; try++ {
		answer, status, err := c.send(ctx, http.MethodPost, "/api/v2/statements?"+query.Encode(), raw)
		var refused *apiError
		switch {
		case err == nil && status == http.StatusAccepted:
			return c.wait(ctx, answer.Handle)
		case err == nil:
			return answer, nil
		case try > 0 || ctx.Err() != nil:
			return nil, err
		case errors.As(err, &refused):
			return nil, err
		}
		query.Set("retry", "true")
	}
}

// wait asks until a statement that takes long is done.
func (c *client) wait(ctx context.Context, handle string) (*reply, error) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		answer, status, err := c.send(ctx, http.MethodGet, "/api/v2/statements/"+url.PathEscape(handle), nil)
		if err != nil || status != http.StatusAccepted {
			return answer, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// send makes a request, and once more with a new token if the first is refused.
func (c *client) send(ctx context.Context, method, path string, body []byte) (*reply, int, error) {
	for try := 0; ; try++ {
		token, err := c.key.get()
		if err != nil {
			return nil, 0, err
		}
		answer, status, err := c.request(ctx, method, path, body, token)
		if status != http.StatusUnauthorized || try > 0 {
			return answer, status, err
		}
		c.key.forget(token)
	}
}

func (c *client) request(ctx context.Context, method, path string, body []byte, token string) (*reply, int, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Snowflake-Authorization-Token-Type", "KEYPAIR_JWT")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "sluice/"+version)
	response, err := c.http.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, 0, err
	}
	answer := &reply{}
	decoded := json.Unmarshal(raw, answer)
	if response.StatusCode == http.StatusOK || response.StatusCode == http.StatusAccepted {
		if decoded != nil {
			return nil, 0, fmt.Errorf("read the answer: %w", decoded)
		}
		return answer, response.StatusCode, nil
	}
	return nil, response.StatusCode, &apiError{response.StatusCode, answer.Code, answer.Message, response.Header.Get("Retry-After")}
}
