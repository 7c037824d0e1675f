package proc

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/procfs"
)

// Process is a running program.
type Process struct {
	PID, Parent int
	Program     string // path of the binary
}

func (p Process) String() string { return fmt.Sprintf("%s (%d)", filepath.Base(p.Program), p.PID) }

// List returns what runs and is wanted. A process that ended and only waits for
// its parent to look does not run.
func List(want func(Process) bool) []Process {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil
	}
	var out []Process
	for _, one := range all {
		if p, ok := find(one); ok && want(p) {
			out = append(out, p)
		}
	}
	return out
}

// Find returns the process with an id, if it runs.
func Find(pid int) (Process, bool) {
	one, err := procfs.NewProc(pid)
	if err != nil {
		return Process{}, false
	}
	return find(one)
}

func find(one procfs.Proc) (Process, bool) {
	program, err := one.Executable()
	if err != nil {
		return Process{}, false
	}
	stat, err := one.Stat()
	if err != nil || stat.State == "Z" {
		return Process{}, false
	}
	return Process{PID: one.PID, Parent: stat.PPID, Program: program}, true
}

// Usage is what a process, or a tree of processes, used of the machine.
type Usage struct {
	CPU      time.Duration // user and system
	Resident int64         // bytes of memory now
}

// UsageOf returns the usage of one process, without its children.
func UsageOf(pid int) (Usage, error) {
	one, err := procfs.NewProc(pid)
	if err != nil {
		return Usage{}, err
	}
	stat, err := one.Stat()
	if err != nil {
		return Usage{}, err
	}
	return Usage{CPU: ticks(stat.UTime + stat.STime), Resident: int64(stat.ResidentMemory())}, nil
}

// UsageOfTree returns the usage of a process and of all that descend from it,
// also of those that ended. Memory that they share counts once for each.
func UsageOfTree(pid int) (Usage, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return Usage{}, err
	}
	stats := make(map[int]procfs.ProcStat)
	for _, one := range all {
		if stat, err := one.Stat(); err == nil {
			stats[one.PID] = stat
		}
	}
	if _, ok := stats[pid]; !ok {
		return Usage{}, fmt.Errorf("process %d does not run", pid)
	}
	var sum Usage
	for id, stat := range stats {
		if id == pid || descends(stats, id, pid) {
			sum.CPU += ticks(stat.UTime+stat.STime) + ticks(uint(stat.CUTime+stat.CSTime))
			sum.Resident += int64(stat.ResidentMemory())
		}
	}
	return sum, nil
}

// MachineCPU is what everything on the machine has used of its processors since
// it started, the kernel included.
func MachineCPU() (time.Duration, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, err
	}
	stat, err := fs.Stat()
	if err != nil {
		return 0, err
	}
	c := stat.CPUTotal
	return time.Duration((c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ) * float64(time.Second)), nil
}

func descends(stats map[int]procfs.ProcStat, id, from int) bool {
	for range len(stats) {
		stat, ok := stats[id]
		if !ok {
			return false
		}
		if id = stat.PPID; id == from {
			return true
		}
	}
	return false
}

// ticks are hundredths of a second on every Linux that Go runs on.
func ticks(n uint) time.Duration { return time.Duration(n) * (time.Second / 100) }
