package main

import "golang.org/x/sys/unix"

// diskFull has the kernel refuse every byte that a process writes to a file, as
// a full disk would (RLIMIT_FSIZE; the error is EFBIG, not ENOSPC). It needs no
// rights, and works in any container.
func diskFull(pid int, full bool) error {
	limit := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if full {
		limit.Cur = 0
	}
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &limit, nil)
}
