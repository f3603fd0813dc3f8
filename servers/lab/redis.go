package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// RedisOptions say how a Redis server is set up. The zero value of all but Dir
// is a server that keeps nothing on disk and lets everybody in.
type RedisOptions struct {
	Dir             string      // everything that it writes lies here
	Persist         string      // "" nothing, "always" or "everysec": an append-only file, flushed so often
	TLS             bool        // with a certificate of its own authority, see CAFile
	Password        string      // of the user default
	Users           []RedisUser // beside the user default
	ReplicaOf       *Redis      // takes over its TLS, password and users, so that either can be the master
	MaxMemoryPolicy string      // "" is Redis' own default, noeviction
	Config          []string    // further lines of redis.conf
}

// RedisUser is a user of the access control list.
type RedisUser struct {
	Name, Password string
	Rules          string // for example "~rouse:* &* +@all -@dangerous"
}

// role is what a redis-server process is for.
type role int

const (
	standalone role = iota
	clusterNode
	sentinel
)

// Redis is one redis-server. Its methods are for one goroutine at a time,
// except Do, Info and the ones that only tell addresses and files.
type Redis struct {
	opt       RedisOptions
	role      role
	kin       *Redis   // whose certificate and password it shares
	watch     []string // what a Sentinel is told beside its port
	port, bus int
	running   *process
	paused    bool
}

// StartRedis runs a server on a free port of 127.0.0.1 and returns when it
// answers; a replica, when it has got what its master has.
func StartRedis(ctx context.Context, opt RedisOptions) (*Redis, error) {
	r := &Redis{opt: opt}
	if m := opt.ReplicaOf; m != nil {
		r.kin, r.opt.TLS, r.opt.Password, r.opt.Users = m, m.opt.TLS, m.opt.Password, m.opt.Users
	}
	if err := r.create(ctx); err != nil {
		return nil, err
	}
	if opt.ReplicaOf == nil {
		return r, nil
	}
	if err := r.running.await(ctx, r.hasSynced); err != nil {
		return nil, errors.Join(fmt.Errorf("lab: Redis on %s does not follow %s: %w\n%s", r.Addr(), opt.ReplicaOf.Addr(), err, r.LogTail(30)), r.Close())
	}
	return r, nil
}

// create is the first start of a server.
func (r *Redis) create(ctx context.Context) error {
	if err := CheckRedis(); err != nil {
		return err
	}
	dir, err := filepath.Abs(r.opt.Dir)
	if err != nil {
		return err
	}
	r.opt.Dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if r.opt.TLS {
		if err := r.giveCertificate(); err != nil {
			return err
		}
	}
	for attempt := 1; ; attempt++ {
		if err := r.pickPorts(); err != nil {
			return err
		}
		err := r.Start(ctx)
		// Somebody may have taken the port between our look and Redis'.
		if err == nil || attempt == 3 || ctx.Err() != nil || !strings.Contains(r.LogTail(200), "Failed listening on port") {
			return err
		}
	}
}

// hasSynced: the replica says so, and its master, which waits for an acknowledgement.
func (r *Redis) hasSynced(ctx context.Context) error {
	info, err := r.Info(ctx, "replication")
	if err == nil && info["master_link_status"] != "up" {
		err = errors.New("master_link_status is " + info["master_link_status"])
	}
	if err != nil {
		return err
	}
	info, err = r.opt.ReplicaOf.Info(ctx, "replication")
	if err != nil {
		return err
	}
	for name, value := range info {
		if strings.HasPrefix(name, "slave") && strings.Contains(value, "port="+strconv.Itoa(r.port)+",state=online") {
			return nil
		}
	}
	return errors.New("the master does not count it as online")
}

// pickPorts takes ports that are free now and writes the configuration with them.
// Redis and Sentinel rewrite that file themselves later, so it is written once.
func (r *Redis) pickPorts() error {
	for _, port := range []*int{&r.port, &r.bus} {
		free, release, err := FreePort()
		if err != nil {
			return err
		}
		defer release() // both stay taken until both are known, so they differ
		*port = free
	}
	return os.WriteFile(r.ConfigFile(), []byte(r.config()), 0o600)
}

func (r *Redis) path(name string) string { return filepath.Join(r.opt.Dir, name) }

// Addr is host:port.
func (r *Redis) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// URL is what store.url says, with the password of the user default.
func (r *Redis) URL() string { return r.UserURL("", r.opt.Password) }

// UserURL is URL for a user of the access control list.
func (r *Redis) UserURL(name, password string) string {
	return r.url("", r.Addr(), "/0", name, password)
}

// url is redis://, rediss:// and, for several servers, redis+cluster:// or redis+sentinel://.
func (r *Redis) url(kind, hosts, path, name, password string) string {
	u := url.URL{Scheme: "redis", Host: hosts, Path: path}
	if r.opt.TLS {
		u.Scheme = "rediss"
	}
	if kind != "" {
		u.Scheme += "+" + kind
	}
	if name != "" || password != "" {
		u.User = url.UserPassword(name, password)
	}
	return u.String()
}

// CAFile is the certificate, in PEM, that a client of a server with TLS has to trust.
func (r *Redis) CAFile() string { return r.path("ca.pem") }

// ConfigFile is the server's redis.conf; it has the passwords.
func (r *Redis) ConfigFile() string { return r.path("redis.conf") }

// LogFile is where the server logs to.
func (r *Redis) LogFile() string { return r.path("redis.log") }

// LogTail is the last n lines of the log.
func (r *Redis) LogTail(n int) string { return tail(r.LogFile(), n) }

// Start runs the server, again on the same port and with the files that it
// left, and returns when it answers: an append-only file has been read then.
func (r *Redis) Start(ctx context.Context) error {
	if r.running != nil {
		return errors.New("lab: Redis runs already")
	}
	args := []string{r.ConfigFile()}
	if r.role == sentinel {
		args = append(args, "--sentinel")
	}
	cmd := exec.Command("redis-server", args...)
	cmd.Dir = r.opt.Dir
	killedWithParent(cmd)
	proc, err := begin(cmd, r.path("redis.out"))
	if err != nil {
		return err
	}
	r.running = proc
	if err := proc.await(ctx, r.answers); err != nil {
		return errors.Join(fmt.Errorf("lab: Redis does not answer on %s: %w\n%s\n%s", r.Addr(), err, tail(r.path("redis.out"), 30), r.LogTail(30)), r.Kill())
	}
	return nil
}

// answers asks for more than PONG: it could be somebody else's, on a port that
// was taken between our look and Redis'.
func (r *Redis) answers(ctx context.Context) error {
	server, err := r.Info(ctx, "server")
	if err != nil {
		return err
	}
	if pid := strconv.Itoa(r.running.cmd.Process.Pid); server["process_id"] != pid {
		return fmt.Errorf("process %s answers, not %s", server["process_id"], pid)
	}
	if r.role == sentinel {
		return r.hurry(ctx)
	}
	_, err = r.Do(ctx, "PING") // refused while it reads its files
	return err
}

// Stop ends the server as an administrator does (SIGTERM) and waits for it. A
// master first waits, up to 10 s, for replicas that are behind.
func (r *Redis) Stop(ctx context.Context) error {
	if r.running == nil {
		return nil
	}
	if err := r.Resume(); err != nil {
		return err
	}
	proc := r.running
	r.running = nil
	return proc.stop(ctx)
}

// Kill ends the server as a power cut does (SIGKILL) and waits for it. What it
// has written to its files stays, flushed or not: the machine goes on.
func (r *Redis) Kill() error {
	if r.running == nil {
		return nil
	}
	proc := r.running
	r.running, r.paused = nil, false
	return proc.kill()
}

// Restart is Stop and Start.
func (r *Redis) Restart(ctx context.Context) error {
	if err := r.Stop(ctx); err != nil {
		return err
	}
	return r.Start(ctx)
}

// Pause freezes the server (SIGSTOP): its connections stay and nobody answers.
func (r *Redis) Pause() error {
	if r.running == nil {
		return errors.New("lab: Redis does not run")
	}
	r.paused = true
	return r.running.signal(syscall.SIGSTOP)
}

// Resume has a paused server go on (SIGCONT).
func (r *Redis) Resume() error {
	if r.running == nil || !r.paused {
		return nil
	}
	r.paused = false
	return r.running.signal(syscall.SIGCONT)
}

// up says whether an answer may be expected.
func (r *Redis) up() bool { return r.running != nil && !r.paused }

// Close kills the server. The directory is the caller's.
func (r *Redis) Close() error { return r.Kill() }

// Do runs one command on a connection of its own, as the user default, and
// gives the answer: a string, an int64, nil, or a []any of these. An error that
// Redis answers is a RedisError; a MOVED is not followed.
func (r *Redis) Do(ctx context.Context, command ...string) (any, error) {
	return r.DoAs(ctx, "default", r.opt.Password, command...)
}

// DoAs is Do as a user of the access control list.
func (r *Redis) DoAs(ctx context.Context, name, password string, command ...string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := r.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if password != "" {
		if _, err := conn.do("AUTH", name, password); err != nil {
			return nil, err
		}
	}
	return conn.do(command...)
}

// Info is one section of INFO, field by field.
func (r *Redis) Info(ctx context.Context, section string) (map[string]string, error) {
	answer, err := r.Do(ctx, "INFO", section)
	if err != nil {
		return nil, err
	}
	return fields(answer), nil
}

// fields reads lines of "name:value".
func fields(answer any) map[string]string {
	text, _ := answer.(string)
	m := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			m[name] = value
		}
	}
	return m
}
