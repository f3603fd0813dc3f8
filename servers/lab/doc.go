// Package lab runs real XMPP software for tests, the demo and benchmarks: a
// Prosody server with mod_rouse on ports and files of its own, and real
// clients that can be told to fall asleep, freeze, vanish and come back.
//
// Nothing here touches a packaged service or its configuration: everything a
// server reads or writes lies in a directory that the caller owns, every port
// is on the loopback interface, and every process ends with its owner.
package lab
