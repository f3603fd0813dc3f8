package lab

// PID is the number of the server's process, for somebody who wants to kill it; 0
// while none runs.
func (r *Redis) PID() int { return r.running.pid() }

// PID is the number of the server's process; 0 while none runs.
func (p *Prosody) PID() int { return p.running.pid() }

// PID is the number of the server's process; 0 while none runs.
func (e *Ejabberd) PID() int { return e.running.pid() }

// Ended reports whether the server ended without being told to by us. Restart
// starts it again.
func (r *Redis) Ended() bool { return r.running.ended() }

// Ended reports whether the server ended without being told to by us.
func (p *Prosody) Ended() bool { return p.running.ended() }

// Ended reports whether the server ended without being told to by us.
func (e *Ejabberd) Ended() bool { return e.running.ended() }

func (p *process) pid() int {
	if p == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

func (p *process) ended() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
