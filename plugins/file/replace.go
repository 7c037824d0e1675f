package main

import (
	"bufio"
	"errors"
	"os"
	"path"
)

// replaceFile writes a file anew, so that readers see the old or the new
// contents and never a part, also after a crash. It returns the new size.
func replaceFile(root *os.Root, name string, write func(w *bufio.Writer) error) (size int64, err error) {
	dir, base := path.Split(name)
	temporary := dir + "." + base + ".tmp" // one writer holds the lock of the directory
	if dir != "" {
		if err := root.MkdirAll(path.Clean(dir), 0o750); err != nil {
			return 0, err
		}
	}
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		var info os.FileInfo
		if info, err = f.Stat(); err == nil {
			size = info.Size()
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, errors.Join(err, root.Remove(temporary))
	}
	if err := root.Rename(temporary, name); err != nil {
		return 0, err
	}
	return size, syncFolders(root, name)
}
