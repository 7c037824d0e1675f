package plugintest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// patience bounds a command or a request of the file.
const patience = 30 * time.Second

// rows reads an object back.
func (f *File) rows(ctx context.Context, p place, object string) ([]map[string]string, error) {
	p = p.with("{object}", object)
	r := f.Read
	if r.SQL != nil {
		found, err := r.SQL.rows(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("read: sql: %w", err)
		}
		return r.texts(found)
	}
	var text []byte
	if len(r.Files) > 0 {
		names, err := p.fillAll(r.Files)
		if err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
		for _, name := range names {
			if !filepath.IsAbs(name) {
				name = filepath.Join(f.dir, name)
			}
			part, err := os.ReadFile(name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("read: %w", err)
			}
			text = append(append(text, part...), '\n')
		}
	} else {
		var err error
		if text, err = f.do(ctx, p, r.Action); err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
	}
	found, err := objects(text)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return r.texts(found)
}

// do runs the command or makes the request, and returns what it says.
func (f *File) do(ctx context.Context, p place, a Action) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if a.HTTP != nil {
		return a.HTTP.do(ctx, p)
	}
	words, err := p.fillAll(a.Command)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = f.dir
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", words[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

func (r *Request) do(ctx context.Context, p place) ([]byte, error) {
	url, err := p.fill(r.URL)
	if err != nil {
		return nil, err
	}
	body, err := p.fill(r.Body)
	if err != nil {
		return nil, err
	}
	method := r.Method
	if method == "" && body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range r.Headers {
		if value, err = p.fill(value); err != nil {
			return nil, err
		}
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode > 299 {
		return nil, fmt.Errorf("%s: %s: %.200s", url, resp.Status, text)
	}
	return text, nil
}

// objects reads JSON objects, in lists or one after the other.
func objects(text []byte) ([]map[string]json.RawMessage, error) {
	var list []map[string]json.RawMessage
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var v json.RawMessage
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("rows are not JSON: %w", err)
		}
		var several []map[string]json.RawMessage
		var one map[string]json.RawMessage
		switch {
		case json.Unmarshal(v, &several) == nil:
			list = append(list, several...)
		case json.Unmarshal(v, &one) == nil:
			list = append(list, one)
		default:
			return nil, fmt.Errorf("rows are not JSON objects: %.100s", v)
		}
	}
}

// texts gives rows the form that the cases compare.
func (r *Read) texts(list []map[string]json.RawMessage) ([]map[string]string, error) {
	var rows []map[string]string
	for _, members := range list {
		row := map[string]string{}
		for name, value := range members {
			put(row, name, value)
		}
		for _, name := range r.Unfold {
			var inner map[string]json.RawMessage
			if members[name] == nil {
				continue
			}
			// A column of text holds the object in quotes.
			if text := row[name]; json.Unmarshal([]byte(text), &inner) != nil {
				return nil, fmt.Errorf("read: unfold: %s is no object: %.100s", name, text)
			}
			delete(row, name)
			for name, value := range inner {
				put(row, name, value)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func put(row map[string]string, name string, value json.RawMessage) {
	var text string
	switch {
	case string(value) == "null":
	case json.Unmarshal(value, &text) == nil:
		row[name] = text
	default:
		row[name] = string(value)
	}
}
