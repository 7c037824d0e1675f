package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
)

// handle is what a growing file needs of an *os.File.
type handle interface {
	io.Writer
	io.ReaderAt
	Truncate(size int64) error
	Sync() error
	Stat() (os.FileInfo, error)
	Close() error
}

// openHandle opens a file for appending and creates it, with its folders, when
// it is not there.
func openHandle(root *os.Root, name string) (handle, error) {
	const flags = os.O_RDWR | os.O_APPEND
	f, err := root.OpenFile(name, flags, 0)
	if err == nil {
		return f, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o750); err != nil {
			return nil, err
		}
	}
	if f, err = root.OpenFile(name, flags|os.O_CREATE, 0o640); err != nil {
		return nil, err
	}
	if err := syncFolders(root, name); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// syncFolders makes the names of a new file and of its folders durable.
func syncFolders(root *os.Root, name string) error {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if err := syncFolder(root, dir); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
	}
}

func syncFolder(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lines is a file that only grows, by whole lines, durably.
//
// Invariant 1: everything up to size is on disk. Whatever lies beyond it was
// never acknowledged and is cut before the file is written again.
type lines struct {
	f     handle
	size  int64
	dirty bool // there may be bytes beyond size
}

// openLines cuts what a crash left of an unfinished append and calls each for
// every line that starts at from or later. complete decides about a rest
// without line break; see [codec].
func openLines(f handle, from int64, complete func([]byte) bool, each func(offset int64, line []byte)) (*lines, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	l := &lines{f: f}
	from, err = lineStart(f, from)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(io.NewSectionReader(f, from, info.Size()-from), 1<<20)
	l.size = from
	var long []byte
	for {
		piece, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, piece...)
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		line := piece
		if len(long) > 0 {
			long = append(long, piece...)
			line = long
		}
		if err != nil { // the end: line is the rest without a line break
			return l, l.finish(info.Size(), line, complete, each)
		}
		// After a power failure a part that was not written yet reads as zeros.
		// It can only be in the last append, which nobody acknowledged.
		if bytes.IndexByte(line, 0) >= 0 {
			return l, l.finish(info.Size(), nil, complete, each)
		}
		each(l.size, line[:len(line)-1])
		l.size += int64(len(line))
		long = long[:0]
	}
}

// lineStart returns the start of the first line at or after offset.
func lineStart(f io.ReaderAt, offset int64) (int64, error) {
	if offset <= 0 {
		return 0, nil
	}
	in := bufio.NewReader(io.NewSectionReader(f, offset-1, 1<<62))
	for at := offset - 1; ; at++ {
		c, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			// One line longer than what is looked at: look at all of it.
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if c == '\n' {
			return at + 1, nil
		}
	}
}

// finish deals with what lies beyond the last whole line and makes the rest
// durable: a process that was killed before its fsync may have left lines that
// are only in memory, and they will be counted as written from now on.
func (l *lines) finish(end int64, rest []byte, complete func([]byte) bool, each func(int64, []byte)) error {
	if len(rest) > 0 && bytes.IndexByte(rest, 0) < 0 && complete(rest) {
		if _, err := l.f.Write([]byte{'\n'}); err != nil {
			return err
		}
		each(l.size, rest)
		l.size += int64(len(rest)) + 1
	} else if end > l.size {
		if err := l.f.Truncate(l.size); err != nil {
			return err
		}
	}
	return l.f.Sync()
}

// append adds whole lines and returns when they are on disk. After an error
// nothing of them counts as written.
func (l *lines) append(text []byte) error {
	if err := l.repair(); err != nil {
		return err
	}
	l.dirty = true
	if _, err := l.f.Write(text); err != nil {
		return errors.Join(err, l.repair())
	}
	if err := l.f.Sync(); err != nil {
		// The kernel forgets what it could not write: a second fsync would
		// succeed without the data. So the lines go, and come again.
		return errors.Join(fmt.Errorf("fsync: %w", err), l.repair())
	}
	l.size += int64(len(text))
	l.dirty = false
	return nil
}

func (l *lines) repair() error {
	if !l.dirty {
		return nil
	}
	if err := l.f.Truncate(l.size); err != nil {
		return fmt.Errorf("cut the unfinished append: %w", err)
	}
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("fsync: %w", err)
	}
	l.dirty = false
	return nil
}

// reset empties the file.
func (l *lines) reset() error {
	l.size, l.dirty = 0, true
	return l.repair()
}

// stale reports whether the file of this name is another one by now (rotated,
// removed, restored), so that lines appended here would be lost.
func (l *lines) stale(root *os.Root, name string) bool {
	mine, err := l.f.Stat()
	if err != nil {
		return true
	}
	there, err := root.Stat(name)
	if err != nil || !os.SameFile(mine, there) {
		return true
	}
	return there.Size() != l.size && !l.dirty
}

func (l *lines) close() error { return l.f.Close() }
