package sqlite

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// disk is a layer between SQLite and the file system (sqlite.org/vfs.html). It
// passes everything on, fails where it is told to, and remembers in their order
// what was written, cut off, deleted and synced, so that afterwards the files can
// be had as a power cut at any moment would have left them.
//
// Of a file's directory entry it believes that it is durable once the file was
// synced (SQLite syncs the directory with it), and that a deletion is at once.
type disk struct {
	name  string
	tls   *libc.TLS
	cname uintptr
	vfs   uintptr
	next  lib.Tsqlite3_vfs // SQLite's own
	hooks []any            // keeps alive what only SQLite points to

	mu            sync.Mutex
	methods       map[uintptr]uintptr // ours by SQLite's; it has several sorts of files
	files         map[uintptr]opened  // by address
	log           []step
	write, synced int32 // what these calls answer; 0: they work
}

// opened is an open file.
type opened struct {
	path string
	next lib.Tsqlite3_io_methods // SQLite's own
}

// step is one thing that happened: to a file, or an acknowledgement (path "").
type step struct {
	path string
	kind kind
	at   int64 // where it was written, or the new size
	data []byte
	key  string // acknowledged: the owner
	n    uint64 // and the serial
}

type kind int

const (
	found kind = iota // the file was there before us
	written
	cut
	synced
	deleted
	acknowledged
)

// deref is the thing at an address of SQLite's memory, which is not Go's.
func deref[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// function is the function behind one of SQLite's function pointers.
func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

// hook puts a function of ours where SQLite has a function pointer.
func hook[F any](d *disk, slot *uintptr, f F) {
	d.hooks = append(d.hooks, f)
	*slot = *(*uintptr)(unsafe.Pointer(&f))
}

type (
	openFunc   = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	deleteFunc = func(tls *libc.TLS, vfs, name uintptr, dirSync int32) int32
	closeFunc  = func(tls *libc.TLS, file uintptr) int32
	writeFunc  = func(tls *libc.TLS, file, buf uintptr, n int32, at int64) int32
	cutFunc    = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc   = func(tls *libc.TLS, file uintptr, flags int32) int32
)

func newDisk(t *testing.T) *disk {
	d := &disk{name: "disk-" + t.Name(), tls: libc.NewTLS(), methods: make(map[uintptr]uintptr), files: make(map[uintptr]opened)}
	var err error
	if d.cname, err = libc.CString(d.name); err != nil {
		t.Fatal(err)
	}
	d.vfs = libc.Xmalloc(d.tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
	d.next = *deref[lib.Tsqlite3_vfs](lib.Xsqlite3_vfs_find(d.tls, 0))
	ours := deref[lib.Tsqlite3_vfs](d.vfs)
	*ours = d.next
	ours.FpNext, ours.FzName = 0, d.cname
	hook(d, &ours.FxOpen, openFunc(d.open))
	hook(d, &ours.FxDelete, deleteFunc(d.delete))
	if rc := lib.Xsqlite3_vfs_register(d.tls, d.vfs, 0); rc != lib.SQLITE_OK {
		t.Fatalf("registering the layer: %d", rc)
	}
	t.Cleanup(func() { // after the stores on it are closed
		lib.Xsqlite3_vfs_unregister(d.tls, d.vfs)
		for _, p := range append(slices.Collect(maps.Values(d.methods)), d.vfs, d.cname) {
			libc.Xfree(d.tls, p)
		}
		d.tls.Close()
	})
	return d
}

// open lets SQLite's own layer open the file and then stands before its methods.
func (d *disk) open(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if name == 0 { // a temporary file: nothing that should survive
		return function[openFunc](d.next.FxOpen)(tls, vfs, name, file, flags, out)
	}
	path := libc.GoString(name)
	known := slices.ContainsFunc(d.log, func(s step) bool { return s.path == path })
	before, absent := os.ReadFile(path)
	rc := function[openFunc](d.next.FxOpen)(tls, vfs, name, file, flags, out)
	f := deref[lib.Tsqlite3_file](file)
	if rc != lib.SQLITE_OK || f.FpMethods == 0 {
		return rc
	}
	if !known && absent == nil {
		d.log = append(d.log, step{path: path, kind: found, data: before})
	}
	d.files[file] = opened{path, *deref[lib.Tsqlite3_io_methods](f.FpMethods)}
	if d.methods[f.FpMethods] == 0 {
		p := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
		ours := deref[lib.Tsqlite3_io_methods](p)
		*ours = d.files[file].next
		hook(d, &ours.FxClose, closeFunc(d.close))
		hook(d, &ours.FxWrite, writeFunc(d.writeAt))
		hook(d, &ours.FxTruncate, cutFunc(d.truncate))
		hook(d, &ours.FxSync, syncFunc(d.sync))
		d.methods[f.FpMethods] = p
	}
	f.FpMethods = d.methods[f.FpMethods]
	return rc
}

func (d *disk) delete(tls *libc.TLS, vfs, name uintptr, dirSync int32) int32 {
	rc := function[deleteFunc](d.next.FxDelete)(tls, vfs, name, dirSync)
	d.mu.Lock()
	defer d.mu.Unlock()
	if rc == lib.SQLITE_OK {
		d.log = append(d.log, step{path: libc.GoString(name), kind: deleted})
	}
	return rc
}

func (d *disk) close(tls *libc.TLS, file uintptr) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[file]
	delete(d.files, file)
	return function[closeFunc](f.next.FxClose)(tls, file)
}

func (d *disk) writeAt(tls *libc.TLS, file, buf uintptr, n int32, at int64) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.write != 0 {
		return d.write
	}
	d.log = append(d.log, step{path: d.files[file].path, kind: written, at: at, data: slices.Clone(unsafe.Slice(deref[byte](buf), n))})
	return function[writeFunc](d.files[file].next.FxWrite)(tls, file, buf, n, at)
}

func (d *disk) truncate(tls *libc.TLS, file uintptr, size int64) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, step{path: d.files[file].path, kind: cut, at: size})
	return function[cutFunc](d.files[file].next.FxTruncate)(tls, file, size)
}

// sync remembers only that it was asked: the real disk need not be bothered.
func (d *disk) sync(_ *libc.TLS, file uintptr, _ int32) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.synced != 0 {
		return d.synced
	}
	d.log = append(d.log, step{path: d.files[file].path, kind: synced})
	return lib.SQLITE_OK
}

// fail makes writes and syncs answer these codes from now on; 0: they work.
func (d *disk) fail(write, sync int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.write, d.synced = write, sync
}

// acknowledge notes that a caller was told that its decision is stored.
func (d *disk) acknowledge(key string, n uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, step{kind: acknowledged, key: key, n: n})
}

// survive says which of n steps that were not synced reach the disk.
type survive func(r *rand.Rand, n int) []bool

func none(_ *rand.Rand, n int) []bool { return make([]bool, n) }
func all(_ *rand.Rand, n int) []bool  { return slices.Repeat([]bool{true}, n) }
func first(r *rand.Rand, n int) []bool {
	return append(all(r, n)[:r.IntN(n+1)], none(r, n)...)[:n]
}
func some(r *rand.Rand, n int) []bool {
	out := none(r, n)
	for i := range out {
		out[i] = r.IntN(2) == 0
	}
	return out
}

// after writes into dir what is left when the power goes after so many steps,
// and gives what had been acknowledged by then.
func (d *disk) after(dir string, steps int, keep survive, r *rand.Rand) (map[string]uint64, error) {
	acks := make(map[string]uint64)
	files, loose := make(map[string][]byte), make(map[string][]step)
	var order []string // maps have none, and a seed should give one outcome
	for _, s := range d.log[:steps] {
		switch s.kind {
		case acknowledged:
			acks[s.key] = s.n
		case found:
			files[s.path] = slices.Clone(s.data)
		case written, cut:
			loose[s.path] = append(loose[s.path], s)
			if !slices.Contains(order, s.path) {
				order = append(order, s.path)
			}
		case synced:
			for _, l := range loose[s.path] {
				files[s.path] = l.apply(files[s.path])
			}
			delete(loose, s.path)
		case deleted:
			delete(files, s.path)
			delete(loose, s.path)
		}
	}
	for _, path := range order {
		for i, kept := range keep(r, len(loose[path])) {
			if s := loose[path][i]; kept {
				if s.kind == written && r.IntN(4) == 0 { // torn: only whole sectors arrive, from the front
					s.data = s.data[:min(len(s.data), 512*r.IntN(1+len(s.data)/512))]
				}
				files[path] = s.apply(files[path])
			}
		}
	}
	for path, data := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), data, 0o600); err != nil {
			return nil, fmt.Errorf("writing what is left: %w", err)
		}
	}
	return acks, nil
}

func (s step) apply(file []byte) []byte {
	end := s.at + int64(len(s.data))
	if grow := end - int64(len(file)); grow > 0 {
		file = append(file, make([]byte, grow)...)
	}
	if s.kind == cut {
		return file[:s.at]
	}
	copy(file[s.at:], s.data)
	return file
}
