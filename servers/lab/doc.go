// Package lab runs real servers for tests, the demo and benchmarks: a Prosody
// with mod_rouse on ports and files of its own, real XMPP clients that can be
// told to fall asleep, freeze, vanish and come back, Redis alone, as a Cluster
// or under Sentinels, and a proxy for the faults of a network.
//
// Nothing here touches a packaged service or its configuration: everything a
// server reads or writes lies in a directory that the caller owns, every port
// is on the loopback interface, and every process ends with its owner.
package lab
