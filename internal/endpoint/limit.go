package endpoint

import "sync/atomic"

// slots bounds how many hold one at a time.
type slots struct {
	max   int64
	taken atomic.Int64
}

func (s *slots) take() bool {
	if s.taken.Add(1) <= s.max {
		return true
	}
	s.taken.Add(-1)
	return false
}

func (s *slots) give() { s.taken.Add(-1) }

// memory bounds the bytes of bodies held at a time.
type memory struct {
	max  int64
	used atomic.Int64
}

// lease is one request's part of the memory.
type lease struct {
	memory *memory
	held   int64
}

// grow makes the lease as large as size and reports whether there is room.
func (l *lease) grow(size int64) bool {
	more := size - l.held
	if l.memory.used.Add(more) > l.memory.max {
		l.memory.used.Add(-more)
		return false
	}
	l.held = size
	return true
}

func (l *lease) release() {
	if l.held > 0 {
		l.memory.used.Add(-l.held)
		l.held = 0
	}
}
