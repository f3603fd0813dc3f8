// Package program runs programs on notices. There is no shell: a command is a list of
// arguments, in which {user}, {subject}, {kind} and the like stand for what the notice
// says; commas and spaces are characters like others. The notice itself is on standard
// input. Exit status 75 (EX_TEMPFAIL of sysexits.h) means try again, any other but 0 that
// it failed for good.
package program
