package config

import (
	"reflect"
	"slices"
	"strings"
)

// NeedRestart names the settings that differ between two configurations and only
// take effect at a start, sorted; "app" stands for the apps. Everything else can be taken over while running.
// Files are compared by name, secrets by what they are.
func NeedRestart(running, next *Config) []string {
	var keys []string
	for _, s := range settings {
		if s.Reload || strings.HasPrefix(s.Key, "app.") {
			continue
		}
		if !reflect.DeepEqual(lookup(running, s.Key), lookup(next, s.Key)) {
			keys = append(keys, s.Key)
		}
	}
	if !reflect.DeepEqual(running.Apps, next.Apps) {
		keys = append(keys, "app")
	}
	slices.Sort(keys)
	return keys
}

// lookup gives the value of a setting outside [[app]], zero where its table is absent.
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
