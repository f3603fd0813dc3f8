package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are taken below the range that outgoing connections get theirs from
// (ip_local_port_range): there a connection of somebody else can take a port
// between our look and its use, and who dials a port that nobody listens on yet
// can even meet himself.
const (
	firstPort = 18000
	lastPort  = 32000
)

// FreePort gives a port of 127.0.0.1 that nobody listens on, for a program that
// cannot be handed a listener. The port is taken until release is called.
func FreePort() (port int, release func() error, err error) {
	l, err := listen()
	if err != nil {
		return 0, nil, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close, nil
}

// listen listens on such a port.
func listen() (net.Listener, error) {
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return l, nil
		}
	}
	return nil, errors.New("lab: no free port found on 127.0.0.1")
}
