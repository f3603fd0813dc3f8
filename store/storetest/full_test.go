package storetest

import (
	"reflect"
	"testing"
	"time"
)

// TestFull: the account that every store has to give back as it was has something
// in every field, those that will be new as well.
func TestFull(t *testing.T) {
	set := make(map[string]bool)
	look(reflect.ValueOf(full()), "Account", set)
	for name, is := range set {
		if !is && name != "Account.Pending" {
			t.Errorf("%s is empty: what becomes of it in a store?", name)
		}
	}
	if len(set) < 30 {
		t.Errorf("only %d fields were seen: %v", len(set), set)
	}
}

// look notes of each field whether it has something anywhere.
func look(v reflect.Value, name string, set map[string]bool) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			look(v.Field(i), name+"."+v.Type().Field(i).Name, set)
		}
		return
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			look(v.Index(i), name+"[]", set)
		}
	case v.Kind() == reflect.Map:
		for _, k := range v.MapKeys() {
			look(v.MapIndex(k), name+"[]", set)
		}
	}
	set[name] = set[name] || !v.IsZero()
}
