package main

// index remembers what the last part of a log holds, so that a repeated write
// adds nothing. It is bounded: lines more than window bytes before the end of
// the log are forgotten.
type index struct {
	window   int64
	versions map[identity]int64
	queue    []indexed // in order of offset; the first head ones are gone
	head     int
}

type indexed struct {
	offset  int64
	id      identity
	version int64
}

func newIndex(window int64) *index {
	return &index{window: window, versions: map[identity]int64{}}
}

// has reports whether the line, or a newer version of its record, is there.
func (x *index) has(id identity, version int64, appended bool) bool {
	v, ok := x.versions[id]
	return ok && (appended || v >= version)
}

func (x *index) add(offset int64, id identity, version int64) {
	if v, ok := x.versions[id]; ok && v > version {
		return
	}
	x.versions[id] = version
	x.queue = append(x.queue, indexed{offset, id, version})
}

// forget drops lines that are too far from the end of the log.
func (x *index) forget(size int64) {
	for x.head < len(x.queue) && x.queue[x.head].offset < size-x.window {
		old := x.queue[x.head]
		if x.versions[old.id] == old.version {
			delete(x.versions, old.id)
		}
		x.head++
	}
	if x.head > 1024 && x.head > len(x.queue)/2 {
		x.queue = append(x.queue[:0], x.queue[x.head:]...)
		x.head = 0
	}
}
