package config

import (
	"fmt"
	"regexp"
	"slices"
)

// providerID is what clients look for among a service's features: printable, and
// nothing that XML has to escape.
var providerID = regexp.MustCompile(`^[A-Za-z0-9:._/#-]{1,128}$`)

// moduleName is one of fpush's push modules.
var moduleName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// families checks by what clients an app can be meant. What they name must be one
// app's only, or nobody knew which one they mean.
func (v *validator) families() {
	providers, modules, services := make(map[string]string), make(map[string]string), make(map[string]string)
	for i := range v.c.Apps {
		a, key := &v.c.Apps[i], element("app", i)
		if v.bad[key] {
			continue
		}
		if a.Provider == WebPush {
			for _, name := range []string{"tigase_provider", "fpush_modules", "mongoose"} {
				if at := join(key, name); v.has(at) {
					v.fail(at, "does nothing for webpush", "take it out; these clients have devices of apns and fcm")
				}
			}
			continue
		}
		if id, at := a.TigaseProvider, key+".tigase_provider"; id != "" {
			if !providerID.MatchString(id) {
				v.fail(at, fmt.Sprintf("%q is not the id of a provider", id), `as the client has it: "tigase:messenger:apns:1"`)
			}
			v.once(providers, id, at)
		}
		for j, name := range a.FpushModules {
			at := v.item(key+".fpush_modules", j)
			switch {
			case !moduleName.MatchString(name):
				v.fail(at, fmt.Sprintf("%q is not the name of a push module", name), `as the client sends it: "monalProdiOS", or "default"`)
			case slices.Contains(a.FpushModules[:j], name):
				v.fail(at, fmt.Sprintf("%q is there twice", name), "take one of them out")
			default:
				v.once(modules, name, at)
			}
		}
		if a.Mongoose {
			v.once(services, a.Provider+" "+a.Environment+" "+a.Topic, key+".mongoose")
		}
	}
}

// once reports a name that another app has. names has where each stands.
func (v *validator) once(names map[string]string, name, key string) {
	if first, taken := names[name]; taken {
		v.fail(key, "another app has the same, at "+v.c.Place(first), "keep it in one of them")
		return
	}
	names[name] = key
}
