package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestGenerated holds the committed documents to the code.
func TestGenerated(t *testing.T) {
	for path, want := range map[string]string{
		"rouse.toml":                          Sample(),
		filepath.Join("../docs", "config.md"): Reference(),
	} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is stale: run go test ./config -update", path)
		}
	}
}

// TestEveryKeyIsDocumented: the table and the structs name the same keys.
func TestEveryKeyIsDocumented(t *testing.T) {
	var inCode []string
	for _, table := range fieldsOf(reflect.TypeFor[Config]()) {
		if !slices.ContainsFunc(sections, func(s section) bool { return s.Name == table.name }) {
			t.Errorf("the table %q is not documented", table.name)
		}
		typ := reflect.TypeFor[Config]().Field(table.index).Type
		if typ.Kind() != reflect.Struct {
			typ = typ.Elem()
		}
		for _, f := range fieldsOf(typ) {
			inCode = append(inCode, table.name+"."+f.name)
		}
	}
	var inTable []string
	for _, s := range settings {
		inTable = append(inTable, s.Key)
		if s.Doc == "" || s.Example == "" || !strings.HasSuffix(s.Doc, ".") {
			t.Errorf("%s: wants a sentence and an example", s.Key)
		}
	}
	slices.Sort(inCode)
	slices.Sort(inTable)
	if !slices.Equal(inCode, inTable) {
		t.Errorf("in the structs: %v\nin the table:   %v", inCode, inTable)
	}
}

// TestProvidersKeysExist: a slip in the list of keys that only one provider has
// would switch its check off.
func TestProvidersKeysExist(t *testing.T) {
	for provider, names := range ofProvider {
		for _, name := range names {
			if _, _, ok := fieldAt("app." + name); !ok {
				t.Errorf("%s: there is no key %q", provider, name)
			}
		}
	}
}

func TestSampleIsValid(t *testing.T) {
	c, err := Parse("rouse.toml", []byte(Sample()))
	if err != nil {
		t.Fatal(err)
	}
	if c.Component == nil || len(c.Apps) != 3 {
		t.Errorf("got %+v", c)
	}
	for line := range strings.Lines(Sample()) {
		if n := len([]rune(line)); n > 101 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestSampleShowsDefaults: what the sample has for a key with a default is that default.
func TestSampleShowsDefaults(t *testing.T) {
	for _, s := range settings {
		if _, def := describe(s.Key); strings.HasPrefix(def, "`\"") && "`"+s.Example+"`" != def {
			t.Errorf("%s: the sample has %s, the default is %s", s.Key, s.Example, def)
		}
	}
}

func TestNeedRestart(t *testing.T) {
	parse := func(replace ...string) *Config {
		c, err := Parse("rouse.toml", []byte(strings.NewReplacer(replace...).Replace(Sample())))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	running := parse()
	for _, tt := range []struct {
		replace []string
		want    []string
	}{
		{nil, nil},
		{[]string{`"5s"`, `"9s"`, `"info"`, `"warn"`}, nil},
		{[]string{`"chat-ios"`, `"other"`, `["example.org"]`, `[]`}, []string{"app", "component.hosts"}},
		{[]string{`:8470`, `:8471`, `rouse.db"`, `other.db"`, `:5347`, `:5348`}, []string{"component.address", "store.url", "web.listen"}},
	} {
		if got := NeedRestart(running, parse(tt.replace...)); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %v, want %v", tt.replace, got, tt.want)
		}
	}
	changed := parse()
	changed.Component.Secret = NewSecret("hunter2")
	if got := NeedRestart(running, changed); !slices.Equal(got, []string{"component.secret"}) {
		t.Errorf("another secret: got %v", got)
	}
	unlinked, err := Parse("rouse.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"app", "component.address", "component.hosts", "component.jid", "component.secret_file"}
	if got := NeedRestart(running, unlinked); !slices.Equal(got, want) {
		t.Errorf("the link gone: got %v, want %v", got, want)
	}
}
