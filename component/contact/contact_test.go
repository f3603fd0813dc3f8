package contact

import (
	"testing"

	"rouse/component/stanza"
)

func TestForm(t *testing.T) {
	if f, ok := Form(Addresses{}); ok {
		t.Errorf("nobody became %+v", f)
	}
	f, ok := Form(Addresses{
		Support: []string{"xmpp:help@example.org"}, Abuse: []string{"mailto:abuse@example.org", "xmpp:a@example.org"},
		Admin: []string{"a:"}, Feedback: []string{"f:"}, Sales: []string{"s:"}, Security: []string{"x:"}, Status: []string{"t:"},
	})
	const want = `<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>` +
		`<field var='abuse-addresses' type='list-multi'><value>mailto:abuse@example.org</value><value>xmpp:a@example.org</value></field>` +
		`<field var='admin-addresses' type='list-multi'><value>a:</value></field><field var='feedback-addresses' type='list-multi'><value>f:</value></field>` +
		`<field var='sales-addresses' type='list-multi'><value>s:</value></field><field var='security-addresses' type='list-multi'><value>x:</value></field>` +
		`<field var='status-addresses' type='list-multi'><value>t:</value></field>` +
		`<field var='support-addresses' type='list-multi'><value>xmpp:help@example.org</value></field></x>`
	if got := string(stanza.AppendElement(nil, f.Element())); !ok || got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
