package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// binder carries decoded TOML into the structs of this package. The decoder could
// do that too, but it stops at the first mistake and speaks of Go types.
type binder struct {
	*source
	errs Errors
}

// field is what the tags of a struct field say.
type field struct {
	name  string
	index int
	path  bool // relative to the file
	def   string
	enum  []string
}

func fieldsOf(t reflect.Type) []field {
	var fs []field
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name, opt, _ := strings.Cut(tag.Get("toml"), ",")
		if name == "" || name == "-" {
			continue
		}
		f := field{name: name, index: i, path: opt == "path", def: tag.Get("default")}
		if enum := tag.Get("enum"); enum != "" {
			f.enum = strings.Split(enum, ",")
		}
		fs = append(fs, f)
	}
	return fs
}

func (b *binder) fail(path, cause, hint string) {
	b.errs = append(b.errs, b.error(path, cause, hint))
}

// table fills a struct. What the file does not name gets its default.
func (b *binder) table(path string, m map[string]any, v reflect.Value) {
	fields := fieldsOf(v.Type())
	for key := range m {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == key }) {
			b.fail(join(path, key), "unknown key", unknownHint(key, fields))
		}
	}
	for _, f := range fields {
		raw, ok := m[f.name]
		b.value(join(path, f.name), f, raw, ok, v.Field(f.index))
	}
}

func (b *binder) value(path string, f field, raw any, ok bool, v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = b.text(path, f, raw, ok)
	case *Secret:
		*p = NewSecret(b.text(path, f, raw, ok))
	case *bool:
		if ok {
			if *p, ok = raw.(bool); !ok {
				b.wrongType(path, raw, "true or false")
			}
		}
	case *int:
		*p = b.number(path, f, raw, ok)
	case *time.Duration:
		*p = b.duration(path, f, raw, ok)
	case *[]string:
		*p = b.list(path, f, raw, ok)
	case *[]int:
		*p = b.numbers(path, f, raw, ok)
	case *[]time.Duration:
		*p = b.durations(path, f, raw, ok)
	default:
		b.nested(path, raw, ok, v)
	}
}

// nested fills tables: always (struct), where there is one (pointer), one for each (slice).
func (b *binder) nested(path string, raw any, ok bool, v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		list, isList := raw.([]any)
		if ok && !isList {
			b.wrongType(path, raw, "an array of tables: write [["+path+"]]")
		}
		for i, raw := range list {
			elem := reflect.New(v.Type().Elem()).Elem()
			b.nested(element(path, i), raw, true, elem)
			v.Set(reflect.Append(v, elem))
		}
	case reflect.Pointer:
		if ok {
			v.Set(reflect.New(v.Type().Elem()))
			b.nested(path, raw, ok, v.Elem())
		}
	default:
		m, isTable := raw.(map[string]any)
		if ok && !isTable {
			header := "[" + path + "]"
			if strings.HasSuffix(path, "]") {
				header = "[[" + parent(path) + "]]"
			}
			b.wrongType(path, raw, "a table: write "+header)
		}
		b.table(path, m, v)
	}
}

func (b *binder) text(path string, f field, raw any, ok bool) string {
	s := f.def
	if ok {
		given, isText := raw.(string)
		switch {
		case !isText:
			b.wrongType(path, raw, "a string")
		case f.enum != nil && !slices.Contains(f.enum, given):
			hint := "one of " + quoted(f.enum)
			if near := nearest(given, f.enum); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			b.fail(path, fmt.Sprintf("%q is not known here", given), hint)
		default:
			s = given
		}
	}
	if f.path {
		s = b.beside(s)
	}
	return s
}

func (b *binder) number(path string, f field, raw any, ok bool) int {
	n, _ := strconv.Atoi(f.def)
	if ok {
		given, isNumber := raw.(int64)
		switch {
		case !isNumber:
			b.wrongType(path, raw, "a whole number")
		case int64(int(given)) != given:
			b.fail(path, "is out of range", "")
		default:
			n = int(given)
		}
	}
	return n
}

func (b *binder) duration(path string, f field, raw any, ok bool) time.Duration {
	s := f.def
	if ok {
		switch given := raw.(type) {
		case string:
			s = given
		case int64:
			b.fail(path, "a duration needs its unit", fmt.Sprintf("write it as a string, like \"%ds\"", given))
		default:
			b.wrongType(path, raw, `a duration, like "90s"`)
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		b.fail(path, fmt.Sprintf("%q is not a duration", s), `write a number and its unit, like "90s" or "5m"`)
	}
	return d
}

// numbers reads a list; the default has commas.
func (b *binder) numbers(path string, f field, raw any, ok bool) []int {
	list := []any{}
	switch given := raw.(type) {
	case []any:
		list = given
	case int64:
		list = []any{given}
	default:
		if ok {
			b.wrongType(path, raw, "a list of numbers, like [7, 1]")
		}
		for text := range strings.SplitSeq(f.def, ",") {
			n, _ := strconv.ParseInt(text, 10, 64)
			list = append(list, n)
		}
	}
	out := make([]int, 0, len(list))
	for i, raw := range list {
		out = append(out, b.number(element(path, i), field{}, raw, true))
	}
	return out
}

// durations reads a list; the default has commas.
func (b *binder) durations(path string, f field, raw any, ok bool) []time.Duration {
	list := []any{}
	switch given := raw.(type) {
	case []any:
		list = given
	case string:
		list = []any{given}
	default:
		if ok {
			b.wrongType(path, raw, `a list of durations, like ["5m", "1h"]`)
		}
		for text := range strings.SplitSeq(f.def, ",") {
			list = append(list, text)
		}
	}
	out := make([]time.Duration, 0, len(list))
	for i, raw := range list {
		out = append(out, b.duration(element(path, i), field{def: "0s"}, raw, true))
	}
	return out
}

func (b *binder) list(path string, f field, raw any, ok bool) []string {
	var out []string
	if f.def != "" {
		out = []string{f.def}
	}
	if !ok {
		return out
	}
	switch given := raw.(type) {
	case string:
		return []string{given}
	case []any:
		out = make([]string, 0, len(given))
		for i, raw := range given {
			s, isText := raw.(string)
			if !isText {
				b.wrongType(element(path, i), raw, "a string")
			}
			out = append(out, s) // in any case, so that the places of the others hold
		}
	default:
		b.wrongType(path, raw, "a string or a list of strings")
	}
	return out
}

func (b *binder) wrongType(path string, raw any, want string) {
	b.fail(path, fmt.Sprintf("is %s, must be %s", typeName(raw), want), "")
}

// typeName says what a value is in the words of TOML.
func typeName(raw any) string {
	switch raw := raw.(type) {
	case string:
		return "a string"
	case int64:
		return "a number"
	case float64:
		return "a number"
	case bool:
		return fmt.Sprint(raw)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}
