package session

import "time"

// How long a wake is of use, from the decision on.
const (
	CallLife   = 45 * time.Second    // how long a call rings: nobody lets a phone ring longer
	SilentLife = 24 * time.Hour      // a hint, stale by the next day
	Life       = 28 * 24 * time.Hour // what FCM keeps at most; APNs keeps 30 days
)

// Importance is what follows from a class, for the rules and for providers.
type Importance struct {
	Name     string
	Urgent   bool          // the provider is not to let it wait: APNs priority 10, FCM high, Web Push high; else 5, normal, low
	Push     PushType      // what the device is to make of it
	Life     time.Duration // until when it is of use, from the decision on (TTL)
	Collapse Collapse      // which wakes it may replace on their way
	Merges   bool          // one wake stands for several, and for those of lower classes that merge
}

// PushType is what a device makes of a wake. The names are Apple's.
type PushType string

const (
	NoPush     PushType = ""
	Background PushType = "background" // the app looks what there is
	Alert      PushType = "alert"      // something is shown
	Ring       PushType = "voip"       // it rings, where the app can; else something is shown
)

// Collapse says which wakes of a device may replace each other on their way.
type Collapse string

const (
	Alone      Collapse = "alone" // it replaces nothing, and nothing replaces it
	WithSilent Collapse = "background"
	WithShown  Collapse = "shown"
)

// importance is the one table of what classes are worth (docs/importance.md).
var importance = [NumClasses]Importance{
	Nothing:      {Name: "nothing", Collapse: Alone},
	Silent:       {Name: "silent", Urgent: false, Push: Background, Life: SilentLife, Collapse: WithSilent, Merges: true},
	Subscription: {Name: "subscription", Urgent: true, Push: Alert, Life: Life, Collapse: WithShown, Merges: true},
	Invitation:   {Name: "invitation", Urgent: true, Push: Alert, Life: Life, Collapse: WithShown, Merges: true},
	Group:        {Name: "group", Urgent: true, Push: Alert, Life: Life, Collapse: WithShown, Merges: true},
	Mention:      {Name: "mention", Urgent: true, Push: Alert, Life: Life, Collapse: WithShown, Merges: true},
	Message:      {Name: "message", Urgent: true, Push: Alert, Life: Life, Collapse: WithShown, Merges: true},
	Call:         {Name: "call", Urgent: true, Push: Ring, Life: CallLife, Collapse: Alone, Merges: false},
}

// Importance gives the row of a class. Of what is no class it is that of Nothing.
func (c Class) Importance() Importance {
	if c < NumClasses {
		return importance[c]
	}
	return importance[Nothing]
}

// Rings reports whether a wake of this class is of use for a moment only, and
// heard: a call.
func (c Class) Rings() bool { return c.Importance().Push == Ring }

// Shown reports whether a wake of this class has something for the user to see.
func (c Class) Shown() bool { return c.Importance().Push == Alert || c.Rings() }
