// Package adhoc offers ad-hoc commands (XEP-0050 §2.4) of a single stage: the
// one who executes a command sends the form along, or needs none, and the
// answer completes it. Commands of several stages are not covered, so
// that nothing has to be remembered between two IQs; the actions other than
// execute (§3.4) are refused.
//
// Names of commands are compared without regard to case, as clients of the
// push services that came before expect, and answered as they were written.
package adhoc
