// Package people has the ad-hoc commands (XEP-0050) that are for persons: to choose
// what their devices are not to be woken for, and to be told why one was woken or
// not. A person asks for the own account; an operator for any.
//
// Who is in a chat rouse does not keep: a filter has names of chats (Chat), which
// only somebody who knows the address can make.
package people
