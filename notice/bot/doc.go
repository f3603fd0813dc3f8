// Package bot answers people who write to the component: about their devices and what
// these are woken for, about what they are told and how, and administrators about
// others. Each command is an ad-hoc command (XEP-0050) as well.
//
// A command is a line of words; what it answers is a text of some lines. Mistakes are
// answered with what is nearest to what was meant.
package bot
