// Package adhoc offers ad-hoc commands (XEP-0050 §2.4) of a single stage: the
// one who executes a command sends the form along, or needs none, and the
// answer completes it. A command that has to say something first may have a
// stage before that, in which it gives the form (§3.1), or several: nothing is
// remembered between two IQs, what has to be is in hidden fields. Going back (prev)
// is not covered; other actions than execute (§3.4) are refused where there is a
// single stage.
//
// Names of commands are compared without regard to case, as clients of the
// push services that came before expect, and answered as they were written.
package adhoc
