package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"

	"rouse/store"
)

// lock takes the lock file beside the store. The kernel gives it back when the
// process ends, however it ends; the file stays, because taking it away would
// race with the next who locks it.
func lock(path string) (*os.File, error) {
	name := path + "-lock"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dir := filepath.Dir(path)
		return nil, &Error{path, fmt.Errorf("the directory %s does not exist: %w", dir, fs.ErrNotExist),
			"create it for the user that rouse runs as: install -d -m 0700 " + dir}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return nil, &Error{path, err, "the directory must be writable for the user that rouse runs as"}
	case errors.Is(err, syscall.ENOSPC):
		return nil, &Error{path, err, "the disk is full: make room"}
	case err != nil:
		return nil, &Error{path, err, ""}
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &Error{path, errors.New("another rouse has the store open"),
				"stop it first, or name another file in store.url; fuser " + name + " shows who it is"}
		}
		return nil, &Error{path, fmt.Errorf("locking %s: %w", name, err), "the store must lie on a file system that knows flock"}
	}
	return f, nil
}

// create puts a new store at path: under another name first, so that a file at
// path is always whole. The lock is held.
func create(ctx context.Context, path string) error {
	fresh := path + "-new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db, err := open(fresh, "_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, fmt.Sprintf(`BEGIN; PRAGMA application_id=%d; PRAGMA user_version=%d; %s COMMIT;`, applicationID, Format, schema))
	if err != nil {
		return err
	}
	// Last, so that the header is in the file and not in its log.
	if _, err := db.ExecContext(ctx, `PRAGMA journal_mode=WAL`); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// inspect reads the header (sqlite.org/fileformat2.html §1.3) before SQLite does,
// so that a file that is not ours stays as it is.
func inspect(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var h [100]byte
	if _, err := io.ReadFull(f, h[:]); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	const other = "name another file in store.url, or move this one away"
	if string(h[:16]) != "SQLite format 3\x00" {
		return &Error{path, errors.New("this is not a SQLite file"), other}
	}
	if binary.BigEndian.Uint32(h[68:]) != applicationID {
		return &Error{path, errors.New("this SQLite file is not a store of rouse"), other}
	}
	if format := binary.BigEndian.Uint32(h[60:]); format > Format {
		return &Error{path, fmt.Errorf("%w: the file has format %d, this rouse knows up to %d", store.ErrNewer, format, Format),
			"install the newer rouse again, or put back a backup"}
	}
	return nil
}

// open gives a pool of connections. params are those of the driver and of SQLite's URIs.
func open(path, params string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	c, err := sqlite.NewConnector((&url.URL{Scheme: "file", Path: abs, RawQuery: params}).String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}
