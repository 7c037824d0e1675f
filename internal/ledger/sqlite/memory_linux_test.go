package sqlite

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"modernc.org/libc"
)

// The kernel is not asked for memory, and given it back, with each statement.
func TestMemoryOfStatementsIsKept(t *testing.T) {
	keepMemory()
	tls := libc.NewTLS()
	defer tls.Close()
	for size := libc.Tsize_t(16); size <= 16<<10; size *= 2 {
		p := libc.Xmalloc(tls, size)
		libc.Xfree(tls, p)
		if !mapped(t, p) {
			t.Errorf("an area for blocks of %d bytes was given back when its last block was", size)
		}
	}
}

// mapped reports whether the address belongs to this process.
func mapped(t *testing.T, p uintptr) bool {
	t.Helper()
	all, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(all)) {
		var from, to uintptr
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err != nil {
			t.Fatal(err)
		}
		if from <= p && p < to {
			return true
		}
	}
	return false
}
