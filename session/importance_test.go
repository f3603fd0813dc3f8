package session

import "testing"

// TestImportance: the table is whole, and says what rules and providers rest on.
func TestImportance(t *testing.T) {
	names := make(map[string]bool)
	for c := range NumClasses {
		of := c.Importance()
		if of.Name == "" || names[of.Name] {
			t.Errorf("class %d is called %q", c, of.Name)
		}
		names[of.Name] = true
		if back, err := ParseClass(of.Name); err != nil || back != c {
			t.Errorf("%q is read as %v, %v", of.Name, back, err)
		}
		if c.Wakes() != (of.Push != NoPush && of.Life > 0) {
			t.Errorf("%v: wakes %v, with %+v", c, c.Wakes(), of)
		}
		if c.Shown() && !of.Urgent {
			t.Errorf("%v is shown, and may wait until the device wakes by itself", c)
		}
		if c.Rings() && (of.Merges || of.Collapse != Alone) {
			t.Errorf("%v rings, and may be swallowed: %+v", c, of)
		}
		if (of.Collapse == WithShown) != (of.Push == Alert) || (of.Collapse == WithSilent) != (of.Push == Background) {
			t.Errorf("%v would replace what is of another kind: %+v", c, of)
		}
		if of.Collapse == "" {
			t.Errorf("%v: nothing is said of what it may replace", c)
		}
	}
	if NumClasses.Importance() != Nothing.Importance() || NumClasses.Wakes() {
		t.Error("what is no class wakes")
	}
}
