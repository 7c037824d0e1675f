package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Bounds of ${exec:…}: of one program, of all programs of a configuration, and
// of what one may print.
const (
	execOne      = 10 * time.Second
	execTogether = 30 * time.Second
	execOutput   = 64 << 10
)

// runner runs the programs that references name, each once.
type runner struct {
	ctx  context.Context
	dir  string
	done map[string]string
}

// run runs a program with its arguments, split at white space; there is no
// shell. No error quotes anything that the program printed: it may be the secret.
func (r *runner) run(command string) (string, error) {
	if out, ok := r.done[command]; ok {
		return out, nil
	}
	words := strings.Fields(command)
	ctx, cancel := context.WithTimeout(r.ctx, execOne)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = r.dir
	cmd.WaitDelay = time.Second // a grandchild may hold the pipe open
	out := limitedBuffer{limit: execOutput}
	cmd.Stdout = &out
	err := cmd.Run()
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case out.full:
		return "", fmt.Errorf("it printed more than %s", formatSize(execOutput))
	case ctx.Err() != nil:
		return "", fmt.Errorf("it took longer than %s (%s for all together)", execOne, execTogether)
	case exited:
		return "", fmt.Errorf("it ended with %s", exit.ProcessState)
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("there is no such program")
	case err != nil:
		return "", cause(err)
	}
	if r.done == nil {
		r.done = make(map[string]string)
	}
	r.done[command] = out.taken.String()
	return r.done[command], nil
}

// limitedBuffer takes so much and no more.
type limitedBuffer struct {
	taken bytes.Buffer // not embedded: its ReadFrom would take everything
	limit int
	full  bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.taken.Len()+len(p) > b.limit {
		b.full = true
		return 0, errors.New("too much output")
	}
	return b.taken.Write(p)
}
