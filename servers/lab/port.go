package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
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

// turn counts the ports that this process took. One after the other they are taken,
// from a place that differs by process: a port whose program was killed, and will be
// started again, is not given to somebody else meanwhile.
var turn atomic.Uint32

// listen listens on such a port.
func listen() (net.Listener, error) {
	for range 100 {
		port := firstPort + (uint32(os.Getpid())*137+turn.Add(1))%(lastPort-firstPort)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return l, nil
		}
	}
	return nil, errors.New("lab: no free port found on 127.0.0.1")
}
