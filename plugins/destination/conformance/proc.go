package conformance

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// handles counts the open files of a process. It is false where /proc does not
// tell.
func handles(pid int) (int, bool) {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(list), err == nil
}

// descendants are the process and what it started, by id, with the time of birth.
func descendants(pid int) map[int]string {
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if f := stat(id); f != nil {
			if parent, err := strconv.Atoi(f[1]); err == nil {
				children[parent] = append(children[parent], id)
			}
		}
	}
	found := map[int]string{}
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		if when := born(queue[0]); when != "" {
			found[queue[0]] = when
		}
		queue = append(queue, children[queue[0]]...)
	}
	return found
}

// born tells two processes with one id apart; empty: there is none.
func born(pid int) string {
	const startTime = 19 // of the fields after the name
	if f := stat(pid); len(f) > startTime && f[0] != "Z" {
		return f[startTime]
	}
	return ""
}

// stat returns the fields of /proc/PID/stat after the name, which may hold
// anything: state, parent, ….
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	end := bytes.LastIndexByte(text, ')')
	return strings.Fields(string(text[end+1:]))
}
