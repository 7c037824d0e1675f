package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// program is a plugin's file, held open. What was checked is what is started,
// whatever is in its place on disk by then: also after a crash, when another
// version waits there to be taken over.
type program struct {
	path   string
	file   *os.File
	script bool   // its interpreter opens it by its path
	sum    string // SHA-256, hexadecimal
	users  atomic.Int32
}

// openProgram refuses what must not be run.
func openProgram(path string) (*program, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p := &program{path: path, file: f}
	p.users.Store(1)
	if p.sum, err = p.check(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return p, nil
}

func (p *program) check() (sum string, err error) {
	info, err := p.file.Stat()
	if err != nil {
		return "", err
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return "", fmt.Errorf("%s is not a regular file", p.path)
	case mode.Perm()&0o022 != 0:
		return "", fmt.Errorf("%s may be changed by group or others (mode %#o), so it is not run: chmod go-w it", p.path, mode.Perm())
	case mode.Perm()&0o111 == 0:
		return "", fmt.Errorf("%s is not executable: chmod +x it", p.path)
	}
	head := make([]byte, 2)
	if _, err := p.file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	p.script = string(head) == "#!"
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(p.file, 0, 1<<62)); err != nil {
		return "", fmt.Errorf("checksum: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// verify compares the file's contents with a checksum: they may have changed
// under it while nobody ran it.
func (p *program) verify(want string) error {
	sum, err := p.check()
	if err != nil {
		return err
	}
	if want != "" && !strings.EqualFold(want, sum) {
		return &ChecksumError{Path: p.path, Want: want, Got: sum}
	}
	return nil
}

// command starts the open file where the system can, and the path elsewhere.
func (p *program) command() (*exec.Cmd, error) {
	cmd := exec.Command(p.path)
	if at := p.openPath(); at != "" && !p.script {
		cmd.Path, cmd.Err = at, nil
		return cmd, nil
	}
	// By its path: at least it is still the file that was checked.
	now, err := os.Stat(p.path)
	if err != nil {
		return nil, err
	}
	checked, err := p.file.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(now, checked) {
		other, err := openProgram(p.path)
		if err != nil {
			return nil, err
		}
		defer other.Close()
		if other.sum != p.sum {
			return nil, &ChecksumError{Path: p.path, Want: p.sum, Got: other.sum}
		}
	}
	return cmd, nil
}

// share returns the program for another user, who closes it too.
func (p *program) share() *program {
	p.users.Add(1)
	return p
}

// Close gives the file back when its last user does. What was started from it
// runs on.
func (p *program) Close() error {
	if p.users.Add(-1) > 0 {
		return nil
	}
	return p.file.Close()
}
