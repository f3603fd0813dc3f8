// Package componenttest is the server's side of XEP-0114, for tests: it takes
// or refuses the handshake, says what it is told to say, and keeps what it
// hears. It works over TCP on loopback and over pipes within the process, for
// tests in a bubble of testing/synctest.
//
// [Run] plays a scripted dialogue from a txtar file with a component. That the
// stand-in is true is shown by mellium's component client, which is run against
// it in the tests here.
package componenttest
