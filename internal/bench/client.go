package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"time"
)

// client is one connection that posts one request after the other. It knows of
// HTTP/1.1 only what a server needs that answers with a Content-Length, and so
// costs a fraction of net/http's client: what the generator uses of the machine
// is missing for what it measures.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	head []byte
	out  []byte
}

const requestTimeout = 30 * time.Second

func dial(address, path, apiKey string) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\napi_key: %s\r\nContent-Length: ", path, address, apiKey)
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 4096), head: []byte(head)}, nil
}

func (c *client) close() { c.conn.Close() }

// post sends a body and returns the status of the answer, which it reads whole.
func (c *client) post(body []byte) (int, error) {
	if err := c.conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return 0, err
	}
	c.out = append(c.out[:0], c.head...)
	c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
	c.out = append(c.out, "\r\n\r\n"...)
	c.out = append(c.out, body...)
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200\r\n") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("not an answer: %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, fmt.Errorf("not an answer: %q", line)
	}
	length := -1
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, fmt.Errorf("not a length: %q", value)
			}
		}
	}
	if length < 0 {
		return 0, fmt.Errorf("an answer with status %d and without Content-Length", status)
	}
	_, err = c.in.Discard(length)
	return status, err
}
