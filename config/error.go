package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Error is one mistake: where, what, and how to put it right. It never holds the
// value of a secret.
type Error struct {
	File  string
	Line  int // from 1; 0: the mistake has no line
	Col   int // in characters, from 1; 0: none
	Key   string
	Cause string
	Hint  string // empty: the cause says it
}

func (e *Error) place() string {
	if e.Line == 0 {
		return e.File
	}
	return fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Col)
}

// Error gives place, key and cause in one line.
func (e *Error) Error() string {
	parts := slices.DeleteFunc([]string{e.place(), e.Key, e.Cause}, func(s string) bool { return s == "" })
	return strings.Join(parts, ": ")
}

// Errors are all mistakes of one file, in the order of the file.
type Errors []*Error

// Error gives one line for each.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find an *Error.
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

func (es Errors) inOrder() Errors {
	slices.SortStableFunc(es, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return es
}

// err is nil when there are none: a typed nil would not be.
func (es Errors) err() error {
	if len(es) == 0 {
		return nil
	}
	return es.inOrder()
}

// Report writes an error as the program shows it: one line each, after the name
// of the program, and the hint below. It takes errors of any kind.
func Report(w io.Writer, program string, err error) {
	var es Errors
	var e *Error
	switch {
	case errors.As(err, &es):
	case errors.As(err, &e):
		es = Errors{e}
	default:
		fmt.Fprintf(w, "%s: %v\n", program, err)
		return
	}
	for _, e := range es {
		fmt.Fprintf(w, "%s: %s\n", program, e.Error())
		if e.Hint != "" {
			fmt.Fprintf(w, "hint: %s\n", e.Hint)
		}
	}
}
