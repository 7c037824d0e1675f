package sqlite

import (
	"context"
	"errors"
)

// pool holds the connections that read a file.
type pool struct {
	free chan *conn
	size int
	stop chan struct{}
}

func newPool(size int, dial func() (*conn, error)) (*pool, error) {
	p := &pool{free: make(chan *conn, size), stop: make(chan struct{})}
	for range size {
		c, err := dial()
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.size++
		p.free <- c
	}
	return p, nil
}

// read calls f with a connection and one snapshot of the file: everything
// committed before, nothing later.
func (p *pool) read(ctx context.Context, f func(*conn) error) (err error) {
	var c *conn
	select {
	case c = <-p.free:
	case <-ctx.Done():
		return ctx.Err()
	case <-p.stop:
		return errClosed
	}
	defer func() { p.free <- c }()
	if _, err := c.exec("BEGIN"); err != nil {
		return err
	}
	defer func() {
		// Nothing was written; this only gives the snapshot back.
		if _, e := c.exec("ROLLBACK"); err == nil {
			err = e
		}
	}()
	return f(c)
}

// close waits for readers. It is called once.
func (p *pool) close() error {
	close(p.stop)
	var errs []error
	for range p.size {
		errs = append(errs, (<-p.free).close())
	}
	return errors.Join(errs...)
}
