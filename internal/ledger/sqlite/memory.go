package sqlite

import (
	"sync"

	"modernc.org/libc"
)

// keepMemory keeps the allocator of SQLite's Go library from asking the kernel
// for memory, and giving it back, with most statements. It has areas of 64 KiB
// for blocks of one size each and unmaps an area with its last block, and a
// statement needs blocks of some size of which there are no others. One block of
// each size, never freed, keeps an area of it.
var keepMemory = sync.OnceFunc(func() {
	tls := libc.NewTLS()
	defer tls.Close()
	for size := libc.Tsize_t(16); size <= 16<<10; size *= 2 { // larger ones have areas of their own
		libc.Xmalloc(tls, size)
	}
})
