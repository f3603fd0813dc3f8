package profile

import (
	"fmt"
	"strings"

	"rouse/push"
)

// Default is the profile of an app that names none.
const Default = "conversations"

// Profile is one family of clients. The zero Profile is Default.
type Profile struct{ f *format }

// format is what a family differs in.
type format struct {
	// keys are what the app finds in the push: beside Apple's dictionary, or as
	// data of FCM and Web Push. Numbers become text where only text is taken.
	keys func(push.Notification) map[string]any

	// alert is the text of a push that is shown; nil: the general text of its class.
	alert func(push.Notification) Alert

	badge    bool // the number of stanzas is shown at the app's icon
	rewrites bool // the app has a notification extension that replaces the text
	shows    bool // Android shows the text; otherwise the app decides what is shown
	second   bool // VoIP pushes go to a second token alone, and only encrypted
	hashed   bool // devices collapse under their hash, as with p2
}

// formats lists them all. Snikket is Siskin on iOS and Conversations on Android.
var formats = []struct {
	name          string
	apple, google *format
}{
	{"conversations", &conversations, &conversations},
	{"monal", &monal, &monal},
	{"siskin", &siskin, nil},
	{"snikket", &siskin, &conversations},
	{"mongoose", &mongoose, &mongoose},
	{"plain", &plain, &plain},
}

var (
	conversations = format{keys: hashedAccount, rewrites: true, hashed: true}
	monal         = format{keys: nothing, alert: monalAlert, rewrites: true}
	siskin        = format{keys: siskinKeys, rewrites: true, second: true}
	mongoose      = format{keys: mongooseKeys, alert: mongooseAlert, badge: true, rewrites: true, shows: true}
	plain         = format{keys: nothing, shows: true}
)

// Names lists the profiles.
func Names() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return names
}

// Apple gives a profile by name for APNs; "" is Default.
func Apple(name string) (Profile, error) {
	for _, f := range formats {
		if f.name == name || name == "" && f.name == Default {
			return Profile{f.apple}, nil
		}
	}
	return Profile{}, unknown(name)
}

// Google gives a profile by name for FCM and Web Push; "" is Default.
func Google(name string) (Profile, error) {
	for _, f := range formats {
		switch {
		case f.name != name && (name != "" || f.name != Default):
		case f.google == nil:
			return Profile{}, push.Remedied(fmt.Errorf("profile %q: these clients are on Apple's devices only", name), "take out profile, or make it an app of apns")
		default:
			return Profile{f.google}, nil
		}
	}
	return Profile{}, unknown(name)
}

func unknown(name string) error {
	return fmt.Errorf("profile %q is not known; there are %s", name, strings.Join(Names(), ", "))
}

func (p Profile) format() *format {
	if p.f == nil {
		return &conversations
	}
	return p.f
}
