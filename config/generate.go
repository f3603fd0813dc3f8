package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Sample gives a commented rouse.toml for a push service with one app of each
// provider. It is a valid file once the secrets that it names are there.
func Sample() string {
	var b strings.Builder
	b.WriteString("# The configuration of rouse. docs/config.md describes every setting.\n")
	for _, sec := range sections {
		fmt.Fprintf(&b, "\n")
		comment(&b, sec.Doc)
		if sec.Name != "app" {
			off := ""
			if sec.Off {
				off = "# "
			}
			fmt.Fprintf(&b, "%s%s\n", off, sec.Title)
			sampleKeys(&b, sec.Name, nil)
			continue
		}
		fmt.Fprintf(&b, "%s\n", sec.Title)
		others := slices.Concat(ofProvider[FCM], ofProvider[WebPush])
		sampleKeys(&b, sec.Name, func(name string) bool { return !slices.Contains(others, name) })
		fmt.Fprintf(&b, "\n%s\nname = \"chat-android\"\nprovider = \"fcm\"\n", sec.Title)
		sampleKeys(&b, sec.Name, func(name string) bool { return slices.Contains(ofProvider[FCM], name) })
		fmt.Fprintf(&b, "\n%s\nname = \"chat-web\"\nprovider = \"webpush\"\n", sec.Title)
		sampleKeys(&b, sec.Name, func(name string) bool { return slices.Contains(ofProvider[WebPush], name) })
	}
	return b.String()
}

func sampleKeys(b *strings.Builder, table string, want func(name string) bool) {
	for _, s := range settings {
		t, name, _ := strings.Cut(s.Key, ".")
		if t != table || want != nil && !want(name) {
			continue
		}
		comment(b, s.Doc)
		off := ""
		if s.Off {
			off = "# "
		}
		fmt.Fprintf(b, "%s%s = %s\n", off, name, s.Example)
	}
}

// comment wraps a text at 100 columns.
func comment(b *strings.Builder, text string) {
	line := "#"
	for word := range strings.FieldsSeq(strings.ReplaceAll(text, "`", "")) {
		if len(line)+1+len(word) > 100 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// Reference gives docs/config.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# rouse.toml

<!-- Made from the package config by: go test ./config -update -->

The file is the one named by ` + "`-c FILE`" + ` (or ` + "`--config FILE`" + `), else by the environment variable
` + "`ROUSE_CONFIG`, else `rouse.toml` in the working directory, else `/etc/rouse/rouse.toml`" + `. It is TOML.

- Paths are relative to the directory of the file.
- Durations are strings with a unit, like ` + "`\"90s\"` or `\"5m\"`" + `.
- Keys that are not known are errors. Every error names line and column, and all are reported at once.
- Files with secrets have to be readable by their owner alone (mode 0600).
- SIGHUP reads the file again. If it has errors, nothing changes. Settings marked *restart* take effect at the next start.

` + "[A sample with comments](../config/rouse.toml) holds every setting.\n")
	for _, sec := range sections {
		fmt.Fprintf(&b, "\n## `%s`\n\n%s\n\n| key | type | default | | |\n| --- | --- | --- | --- | --- |\n", sec.Title, sec.Doc)
		for _, s := range settings {
			if table, name, _ := strings.Cut(s.Key, "."); table == sec.Name {
				typ, def := describe(s.Key)
				note := "restart"
				if s.Reload {
					note = ""
				}
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, typ, def, note, s.Doc)
			}
		}
	}
	return b.String()
}

// describe gives type and default of a setting for people, from the tags.
func describe(key string) (typ, def string) {
	f, t, ok := fieldAt(key)
	if !ok {
		return "", ""
	}
	def = "none"
	if f.def != "" {
		def = fmt.Sprintf("`%q`", f.def)
	}
	switch {
	case f.enum != nil:
		typ = "`" + strings.ReplaceAll(quoted(f.enum), ", ", "` or `") + "`"
	case f.path:
		typ = "path"
	case t == reflect.TypeFor[time.Duration]():
		typ = "duration"
	case t == reflect.TypeFor[[]time.Duration]():
		typ, def = "list of durations", "`[\""+strings.ReplaceAll(f.def, ",", "\", \"")+"\"]`"
	case t == reflect.TypeFor[[]int]():
		typ, def = "list of numbers", "`["+strings.ReplaceAll(f.def, ",", ", ")+"]`"
	case t == reflect.TypeFor[int]():
		typ, def = "number", "`"+f.def+"`"
	case t == reflect.TypeFor[bool]():
		typ, def = "true or false", "`false`"
	case t == reflect.TypeFor[[]string]():
		typ = "string or list"
	default:
		typ = "string"
	}
	return typ, def
}

// fieldAt finds the struct field of a setting.
func fieldAt(key string) (f field, t reflect.Type, ok bool) {
	t = reflect.TypeFor[Config]()
	for name := range strings.SplitSeq(key, ".") {
		if t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		ok = false
		for _, f = range fieldsOf(t) {
			if f.name == name {
				t, ok = t.Field(f.index).Type, true
				break
			}
		}
		if !ok {
			return field{}, nil, false
		}
	}
	return f, t, true
}
