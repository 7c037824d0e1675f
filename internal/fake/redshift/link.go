package redshift

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
)

// link is one connection.
type link struct {
	server           *Server
	client, upstream net.Conn
	mute             atomic.Bool // the next answer is lost, and the connection with it
}

// requests brings messages to the server. SQL is in those of kind Q (query) and
// P (parse).
func (l *link) requests() {
	r := bufio.NewReader(l.client)
	for {
		kind, err := r.ReadByte()
		if err != nil {
			return
		}
		body, err := readBody(r)
		if err != nil {
			return
		}
		switch kind {
		case 'Q':
			sql, _, _ := bytes.Cut(body, []byte{0})
			if text, ok := l.judge(string(sql)); ok {
				body = append([]byte(text), 0)
			} else {
				return
			}
		case 'P':
			name, rest, _ := bytes.Cut(body, []byte{0})
			sql, types, _ := bytes.Cut(rest, []byte{0})
			text, ok := l.judge(string(sql))
			if !ok {
				return
			}
			body = append(append(append(append(bytes.Clone(name), 0), text...), 0), types...)
		}
		if writeBody(l.upstream, body, kind) != nil {
			return
		}
	}
}

// judge returns what the server is to do instead of the SQL; false is a lost
// connection.
func (l *link) judge(sql string) (string, bool) {
	if f, ok := l.server.fault(sql); ok {
		switch {
		case f.AfterAnswer:
			l.mute.Store(true)
		case f.Code == "":
			return "", false
		default:
			return raise(f.Code, f.Message), true
		}
	}
	if what := lacking(sql); what != "" {
		return raise("0A000", "Redshift has no "+what), true
	}
	return rewrite(sql), true
}

// raise is SQL that fails, so that the server's transaction fails with it.
func raise(code, message string) string {
	quoted := strings.ReplaceAll(strings.ReplaceAll(message, "'", "''"), "%", "%%")
	return fmt.Sprintf("DO $fake$ BEGIN RAISE EXCEPTION '%s' USING ERRCODE = '%s'; END $fake$", quoted, code)
}

// answers brings messages to the client.
func (l *link) answers() {
	r := bufio.NewReader(l.upstream)
	for {
		kind, err := r.ReadByte()
		if err != nil {
			return
		}
		body, err := readBody(r)
		if err != nil {
			return
		}
		if l.mute.Load() {
			if kind == 'Z' { // all of the answer has come: the work is done
				return
			}
			continue
		}
		if kind == 'S' {
			if body = declare(body); body == nil {
				continue
			}
		}
		if writeBody(l.client, body, kind) != nil {
			return
		}
	}
}

// declare turns a parameter's value into Redshift's; nil where it has none.
func declare(body []byte) []byte {
	name, _, _ := bytes.Cut(body, []byte{0})
	switch string(name) {
	case "standard_conforming_strings", "in_hot_standby", "default_transaction_read_only":
		return nil
	case "client_encoding":
		return []byte("client_encoding\x00UNICODE\x00")
	case "server_version":
		return []byte("server_version\x008.0.2\x00")
	}
	return body
}
