package config

import (
	"reflect"
	"slices"
	"strings"
)

// lists are the tables of which there are several.
var lists = []string{"app", "room", "exec"}

// NeedRestart names the settings that differ between two configurations and only
// take effect at a start, sorted; "app" stands for the apps, and so on. Everything else can be taken over while running.
// Files are compared by name, secrets by what they are.
func NeedRestart(running, next *Config) []string {
	var keys []string
	for _, s := range settings {
		table, _, _ := strings.Cut(s.Key, ".")
		if s.Reload || slices.Contains(lists, table) {
			continue
		}
		if !reflect.DeepEqual(lookup(running, s.Key), lookup(next, s.Key)) {
			keys = append(keys, s.Key)
		}
	}
	for _, table := range lists {
		if !reflect.DeepEqual(lookup(running, table), lookup(next, table)) {
			keys = append(keys, table)
		}
	}
	slices.Sort(keys)
	return keys
}

// lookup gives the value of a table, or of a setting of one that is there once, zero where its table is absent.
func lookup(c *Config, key string) any {
	v := reflect.ValueOf(c).Elem()
	for name := range strings.SplitSeq(key, ".") {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v = reflect.New(v.Type().Elem())
			}
			v = v.Elem()
		}
		fields := fieldsOf(v.Type())
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		v = v.Field(fields[i].index)
	}
	return v.Interface()
}
