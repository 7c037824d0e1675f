package app

import (
	"fmt"
	"syscall"

	"github.com/sluicehq/sluice/internal/ledger"
)

// networks are the file systems, by their magic number, that other machines may
// mount too.
var networks = map[int64]string{
	0x6969: "NFS", 0xff534d42: "CIFS", 0xfe534d42: "SMB", 0x517b: "SMB", 0x01021997: "9P",
	0x00c36400: "Ceph", 0x0bd00bd0: "Lustre", 0x5346414f: "AFS", 0x47504653: "GPFS",
}

func place(dir string, report func(ledger.Finding)) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	judgeDisk(dir, s.Bavail*uint64(s.Bsize), networks[int64(s.Type)&0xffffffff], report)
	return nil
}
