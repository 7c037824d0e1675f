package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/sluicehq/sluice/plugins/destination"
)

// changeLog is an open file to which lines are appended, each at most once as
// far as the index reaches.
type changeLog struct {
	root  *os.Root
	name  string
	codec codec
	lines *lines
	index *index
}

// errForeign says that a file exists which this destination did not write.
var errForeign = errors.New("the file was not written by this destination with these settings; move it away, or choose another path, layout or format")

func openLog(root *os.Root, name string, c codec, window int64) (*changeLog, error) {
	f, err := openHandle(root, name)
	if err != nil {
		return nil, err
	}
	l, err := readLog(f, c, window)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), f.Close())
	}
	l.root, l.name = root, name
	return l, nil
}

// readLog repairs the end of the file and indexes its last lines.
func readLog(f handle, c codec, window int64) (*changeLog, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	header := c.header()
	if err := checkHeader(f, header); err != nil {
		return nil, err
	}
	l := &changeLog{codec: c, index: newIndex(window)}
	l.lines, err = openLines(f, info.Size()-window, c.complete, func(offset int64, raw []byte) {
		if id, version, ok := c.identify(raw); ok {
			l.index.add(offset, id, version)
		}
	})
	if err != nil {
		return nil, err
	}
	if l.lines.size == 0 && len(header) > 0 {
		if err := l.lines.append(header); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// checkHeader accepts a file that begins with the header or, after a crash, with
// a part of it.
func checkHeader(f handle, header []byte) error {
	if len(header) == 0 {
		return nil
	}
	begin := make([]byte, len(header))
	n, err := f.ReadAt(begin, 0)
	if n < len(header) && bytes.IndexByte(begin[:n], 0) >= 0 {
		return nil // zeros of a power failure; they will be cut
	}
	if !bytes.HasPrefix(header, begin[:n]) {
		return errForeign
	}
	if n < len(header) && n > 0 && err == nil {
		return errForeign
	}
	return nil
}

// write appends the records that are not there yet and fills in their results.
// An error means that nothing was appended.
func (l *changeLog) write(b *destination.Batch, places []int, results []destination.Result) error {
	type added struct {
		id      identity
		version int64
		offset  int64
	}
	var text []byte
	var news []added
	fresh := map[identity]int64{}
	for _, i := range places {
		r := &b.Records[i]
		next, err := newLine(b, r, func(name string) string { return name })
		if err != nil {
			results[i] = rejected("INVALID_RECORD", err)
			continue
		}
		results[i] = destination.Result{Kind: destination.Delivered}
		id := identify(next.Operation, next.Object, next.Key, next.IdempotencyKey)
		appended := r.Operation == destination.Append
		if l.index.has(id, r.Version, appended) {
			continue
		}
		if v, ok := fresh[id]; ok && (appended || v >= r.Version) {
			continue
		}
		fresh[id] = r.Version
		news = append(news, added{id, r.Version, l.lines.size + int64(len(text))})
		text = l.codec.encode(text, &next)
	}
	if len(text) == 0 {
		return nil
	}
	if err := l.lines.append(text); err != nil {
		return err
	}
	for _, n := range news {
		l.index.add(n.offset, n.id, n.version)
	}
	l.index.forget(l.lines.size)
	return nil
}

func (l *changeLog) stale(root *os.Root) bool {
	return l.root != root || l.lines.stale(root, l.name)
}

// finish has nothing to do: every write is finished when it returns.
func (l *changeLog) finish() error { return nil }

func (l *changeLog) close() error { return l.lines.close() }
