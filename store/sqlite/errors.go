package sqlite

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// Error is a failure of the file, with its place, its cause and what to do.
type Error struct {
	Path   string
	Cause  error
	Remedy string // empty where we know none
}

func (e *Error) Error() string {
	if e.Remedy == "" {
		return fmt.Sprintf("%s: %v", e.Path, e.Cause)
	}
	return fmt.Sprintf("%s: %v (%s)", e.Path, e.Cause, e.Remedy)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Hint gives the remedy.
func (e *Error) Hint() string { return e.Remedy }

// explain adds place and remedy to what SQLite reports, and leaves all else alone.
func explain(path string, err error) error {
	var known *Error
	var se *sqlite.Error
	if errors.As(err, &known) || !errors.As(err, &se) {
		return err
	}
	return &Error{Path: path, Cause: err, Remedy: remedy(se.Code())}
}

// remedy knows the primary result codes (sqlite.org/rescode.html) that people
// can do something about.
func remedy(code int) string {
	switch code & 0xff {
	case lib.SQLITE_FULL:
		return "the disk is full: make room, rouse goes on by itself"
	case lib.SQLITE_READONLY, lib.SQLITE_PERM:
		return "the file and its directory must be writable for the user that rouse runs as"
	case lib.SQLITE_CANTOPEN:
		return "the directory must exist and be writable for the user that rouse runs as"
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return "another program has the file in a transaction: end it, rouse goes on by itself"
	case lib.SQLITE_CORRUPT:
		return "the file is damaged: stop rouse and put back a backup, or save what can be read with sqlite3 FILE .recover"
	case lib.SQLITE_NOTADB:
		return "the file is not a database: stop rouse and put back a backup, or name another file in store.url"
	case lib.SQLITE_IOERR:
		return "the disk failed: look into the kernel's log; rouse goes on by itself once it works"
	}
	return ""
}
