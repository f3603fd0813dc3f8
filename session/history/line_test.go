package history

import (
	"reflect"
	"testing"

	"rouse/session"
)

// TestLine: what Line tells is read as the same event.
func TestLine(t *testing.T) {
	phone := session.Address{Service: "push.example.org", Node: "phone"}
	for want, e := range map[string]session.Event{
		"s1 bind resource=phone client=c1":                                             {Kind: session.Bind, Session: "s1", Resource: "phone", Client: "c1"},
		"s1 enable node=phone resource=phone":                                          {Kind: session.Enable, Session: "s1", Resource: "phone", Address: phone},
		"account enable node=x service=push.example.com reason=bad":                    {Kind: session.Enable, Address: session.Address{Service: "push.example.com", Node: "x"}, Reason: "bad"},
		"s1 csi inactive":                                                              {Kind: session.CSI, Session: "s1", State: session.Inactive},
		"s1 hibernated out=9 acked=7 unread=call@8@s:c unread=group*2@9":               {Kind: session.Hibernate, Session: "s1", Out: 9, Acked: 7, Unread: []session.Unread{{Class: session.Call, Last: 8, Count: 1, Key: "s:c"}, {Class: session.Group, Last: 9, Count: 2}}},
		"s1 queued message i:1 out=10 count=3":                                         {Kind: session.Queue, Session: "s1", Class: session.Message, Key: "i:1", Out: 10, Count: 3},
		"s1 heard active acked=3":                                                      {Kind: session.Heard, Session: "s1", Acked: 3},
		"account call s:c heard=s1 published=phone":                                    {Kind: session.Propose, Key: "s:c", Heard: []string{"s1"}, Published: []session.Address{{Node: "phone"}}},
		"account archived mention s:1":                                                 {Kind: session.Archive, Class: session.Mention, Key: "s:1"},
		"s1 session hibernated out=4 acked=1 unread=message@4 resource=phone client=c": {Kind: session.PictureRow, Session: "s1", Resource: "phone", Client: "c", State: session.Hibernated, Out: 4, Acked: 1, Unread: []session.Unread{{Class: session.Message, Last: 4, Count: 1}}},
	} {
		got := Line(e, phone.Service)
		if got != want {
			t.Errorf("told as %q, want %q", got, want)
		}
		f, err := Parse("f", got)
		if err != nil {
			t.Errorf("%s: %v", got, err)
			continue
		}
		step := f.Steps[0]
		read := *step.Event
		if step.Node != "" {
			read.Address.Node = step.Node
			if read.Address.Service == "" {
				read.Address.Service = phone.Service
			}
		}
		if e.Resource == "" && e.Session != "" {
			e.Resource = e.Session // where no other is told
		}
		if !reflect.DeepEqual(read, e) {
			t.Errorf("%s\n read as %+v\n want    %+v", got, read, e)
		}
	}
}
