package session

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// TestCoverageOfOlderRows: rows of a version that knew no invitations.
func TestCoverageOfOlderRows(t *testing.T) {
	for text, want := range map[string]Coverage{
		"[0,0,0,0,0,4,0]":    {Message: 4},
		"[9, 9,9,9,5,4,7]":   {Nothing: 9, Silent: 9, Subscription: 9, Invitation: 9, Group: 9, Mention: 5, Message: 4, Call: 7},
		"[]":                 {},
		"[1,1,1]":            {Nothing: 1, Silent: 1, Subscription: 1},
		"[8,8,8,3,2,1,0,6]":  {Nothing: 8, Silent: 8, Subscription: 8, Invitation: 6, Group: 3, Mention: 2, Message: 1},
		"[8,8,8,3,2,1,0,2 ]": {Nothing: 8, Silent: 8, Subscription: 8, Invitation: 3, Group: 3, Mention: 2, Message: 1},
	} {
		var got Coverage
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"[1,2,3,4,5,6,7,8,9]", "5", `[-1]`, `["1"]`, "[1,]", "[,1]"} {
		if err := new(Coverage).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

// TestCoverageIsReadAsWritten: of whatever the rules make.
func TestCoverageIsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Coverage
		c[Call] = rapid.Uint64().Draw(t, "call")
		for class := int(Call) - 1; class >= 0; class-- {
			c[class] = rapid.Uint64Min(c[(class+1)%int(Call)]).Draw(t, Class(class).String())
		}
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var got Coverage
		if err := json.Unmarshal(b, &got); err != nil || got != c {
			t.Fatalf("%s: %v, want %v (%v)", b, got, c, err)
		}
	})
}
