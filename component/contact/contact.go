package contact

import "rouse/component/forms"

// FormType names the form.
const FormType = "http://jabber.org/network/serverinfo"

// Addresses are URIs (mailto:, xmpp:, https:), by purpose. XEP-0157 §7.1 has the
// meaning of each.
type Addresses struct {
	Abuse, Admin, Feedback, Sales, Security, Status, Support []string
}

// Form returns the form, and false if there is nobody to write to. Purposes
// without addresses are left out.
func Form(a Addresses) (forms.Form, bool) {
	f := forms.Form{Type: "result", Fields: []forms.Field{forms.Text(forms.FormType, "hidden", FormType)}}
	for _, p := range []struct {
		name string
		uris []string
	}{
		{"abuse", a.Abuse}, {"admin", a.Admin}, {"feedback", a.Feedback}, {"sales", a.Sales},
		{"security", a.Security}, {"status", a.Status}, {"support", a.Support},
	} {
		if len(p.uris) > 0 {
			f.Fields = append(f.Fields, forms.Field{Var: p.name + "-addresses", Type: "list-multi", Values: p.uris})
		}
	}
	return f, len(f.Fields) > 1
}
