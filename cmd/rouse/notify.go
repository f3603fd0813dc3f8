package main

import "net"

// notifier tells systemd how the service is (sd_notify(3)); without a socket it does nothing.
type notifier struct{ socket string }

// tell is best effort: a manager that does not listen must not stop the work.
func (n notifier) tell(state string) {
	if n.socket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte(state))
}
