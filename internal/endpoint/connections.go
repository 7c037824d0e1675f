package endpoint

import (
	"container/list"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// connections bounds the open connections of a server. One too many pushes out
// the one that has waited longest without a request: first those that have never
// sent one, then those between two. A flood of silent connections so pushes out
// itself, and whoever connects and sends gets an answer. When all others are
// handling a request, the newcomer goes.
type connections struct {
	max  int
	name string
	log  *slog.Logger
	now  func() time.Time

	mu     sync.Mutex // guards what follows; not held while closing or logging
	open   map[net.Conn]*place
	fresh  *list.List // of net.Conn that have sent nothing, oldest first
	idle   *list.List // of net.Conn between two requests, oldest first
	shed   int        // not logged yet
	logged time.Time
}

// place says in which list a connection waits, if in any.
type place struct {
	in *list.List
	at *list.Element
}

func newConnections(limit int, name string, log *slog.Logger, now func() time.Time) *connections {
	return &connections{
		max: limit, name: name, log: log, now: now,
		open: make(map[net.Conn]*place), fresh: list.New(), idle: list.New(),
	}
}

// changed is the server's http.Server.ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	victim, shed := c.move(conn, state)
	if victim == nil {
		return
	}
	if secure, ok := victim.(*tls.Conn); ok {
		victim = secure.NetConn() // a goodbye could block
	}
	_ = victim.Close() // its server goroutine sees that, and reports it closed
	if shed > 0 {
		c.log.Warn("too many connections: closed some that waited", "server", c.name, "limit", c.max, "closed", shed)
	}
}

// move books the new state and returns a connection to close, if there is one
// too many, and how many closed ones are to be logged now.
func (c *connections) move(conn net.Conn, state http.ConnState) (victim net.Conn, shed int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, known := c.open[conn]
	if known && p.in != nil {
		p.in.Remove(p.at)
		p.in = nil
	}
	switch state {
	case http.StateNew:
		p = &place{in: c.fresh, at: c.fresh.PushBack(conn)}
		c.open[conn] = p
	case http.StateIdle:
		if known { // it may have been pushed out meanwhile
			p.in, p.at = c.idle, c.idle.PushBack(conn)
		}
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
	if len(c.open) <= c.max {
		return nil, 0
	}
	first := c.fresh.Front() // the newcomer is the last of these
	if first.Value == conn && c.idle.Len() > 0 {
		first = c.idle.Front()
	}
	victim = first.Value.(net.Conn)
	p = c.open[victim]
	p.in.Remove(p.at)
	delete(c.open, victim)
	c.shed++
	if now := c.now(); now.Sub(c.logged) >= logInterval {
		shed, c.shed, c.logged = c.shed, 0, now
	}
	return victim, shed
}
