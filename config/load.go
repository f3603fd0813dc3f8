package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// maxFile bounds what is read as configuration, in bytes.
const maxFile = 1 << 20

// Load reads and checks a file and the files of secrets that it names. An error
// is always Errors.
func Load(path string) (*Config, error) {
	data, mode, err := readFile(path, maxFile)
	if err != nil {
		return nil, Errors{{File: path, Cause: cause(err), Hint: "name another file with -c FILE or ROUSE_CONFIG"}}
	}
	c, errs := parse(path, data)
	if c != nil {
		errs = append(errs, checkFiles(c, mode)...)
	}
	if err := errs.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Parse reads and checks the text of a file without looking at any other file: a
// secret that stands in a file of its own is missing afterwards. The name says
// where the text is from, for errors and for relative paths. An error is always
// Errors.
func Parse(name string, data []byte) (*Config, error) {
	c, errs := parse(name, data)
	if err := errs.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// parse gives no Config when the text is not TOML.
func parse(name string, data []byte) (*Config, Errors) {
	if len(data) > maxFile {
		return nil, Errors{{File: name, Cause: tooLarge(maxFile).Error()}}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var m map[string]any
	if err := toml.Unmarshal(data, &m); err != nil {
		return nil, Errors{syntaxError(name, err)}
	}
	b := &binder{source: newSource(name, data)}
	b.index()
	c := &Config{source: b.source}
	b.table("", m, reflect.ValueOf(c).Elem())
	return c, append(b.errs, validate(c, b.errs)...)
}

func syntaxError(name string, err error) *Error {
	e := &Error{File: name, Cause: strings.TrimPrefix(err.Error(), "toml: ")}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		e.Line, e.Col = at.Position()
	}
	if strings.Contains(e.Cause, "start of value") {
		e.Hint = `strings stand in quotes: key = "value"`
	}
	return e
}

type tooLarge int64

func (n tooLarge) Error() string { return fmt.Sprintf("larger than %d bytes", int64(n)) }

// readFile reads a regular file and gives the mode that it had while it was open.
func readFile(path string, limit int64) ([]byte, fs.FileMode, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, 0, errors.New("not a file") // opening a pipe would wait for its writer
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if info.Size() > limit {
		return nil, 0, tooLarge(limit)
	}
	data := make([]byte, info.Size())
	n, err := f.ReadAt(data, 0)
	if n < len(data) {
		return nil, 0, err
	}
	return data, info.Mode(), nil
}

// cause drops operation and path from an error, for the place says them already.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
