package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sentinelName is what the Sentinels call their master.
const sentinelName = "rouse"

// Sentinels watch one master and make one of its replicas master when it is
// gone. As with Redis, what changes them is for one goroutine at a time.
type Sentinels struct{ nodes []*Redis }

// StartSentinels runs n Sentinels, each in a directory of its own in dir, and
// returns when each knows the others and the replicas that follow the master
// now. They share the master's TLS; they themselves ask for no password.
func StartSentinels(ctx context.Context, master *Redis, n int, dir string) (*Sentinels, error) {
	s := &Sentinels{}
	watch := []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d %d", sentinelName, master.port, n/2+1),
		fmt.Sprintf("sentinel down-after-milliseconds %s 1000", sentinelName),
		fmt.Sprintf("sentinel failover-timeout %s 3000", sentinelName),
	}
	if master.opt.Password != "" {
		watch = append(watch, fmt.Sprintf("sentinel auth-pass %s %s", sentinelName, quote(master.opt.Password)))
	}
	for i := range n {
		s.nodes = append(s.nodes, &Redis{
			opt:  RedisOptions{Dir: filepath.Join(dir, fmt.Sprintf("sentinel%d", i)), TLS: master.opt.TLS},
			role: sentinel, kin: master, watch: watch,
		})
	}
	if err := s.start(ctx, master); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Sentinels) start(ctx context.Context, master *Redis) error {
	if err := createAll(ctx, s.nodes); err != nil {
		return err
	}
	info, err := master.Info(ctx, "replication")
	if err != nil {
		return err
	}
	return poll(ctx, 15*time.Second, nil, func(ctx context.Context) error {
		for _, node := range s.nodes {
			seen, err := node.watched(ctx)
			if err != nil {
				return err
			}
			if seen["num-other-sentinels"] != strconv.Itoa(len(s.nodes)-1) || seen["num-slaves"] != info["connected_slaves"] {
				return fmt.Errorf("lab: Sentinel %s knows %s other Sentinels and %s replicas", node.Addr(), seen["num-other-sentinels"], seen["num-slaves"])
			}
		}
		return nil
	})
}

// hurry shortens what a Sentinel has no directive for. It looks at a server
// every 10 s, presents itself every 2 s (after four times as long it makes an
// old master a replica), and does nothing for 30 s after it was stopped or
// starved for 2 s. And it first pings a server 1 s after it got to know it: with
// a down-after that is no longer than that, every new master counts as down for
// a moment, and if two Sentinels agree in that moment they take it away again.
func (r *Redis) hurry(ctx context.Context) error {
	_, err := r.Do(ctx, "SENTINEL", "DEBUG", "INFO-PERIOD", "1000", "PUBLISH-PERIOD", "500", "PING-PERIOD", "200", "TILT-PERIOD", "3000")
	return err
}

// watched is what a Sentinel knows of the master, field by field.
func (r *Redis) watched(ctx context.Context) (map[string]string, error) {
	answer, err := r.Do(ctx, "SENTINEL", "MASTER", sentinelName)
	if err != nil {
		return nil, err
	}
	list, _ := answer.([]any)
	m := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		m[fmt.Sprint(list[i])] = fmt.Sprint(list[i+1])
	}
	return m, nil
}

// Nodes are the Sentinels, to kill, pause and start them one by one.
func (s *Sentinels) Nodes() []*Redis { return s.nodes }

// Addrs are host:port of the Sentinels.
func (s *Sentinels) Addrs() []string { return addrs(s.nodes) }

// URL is what store.url says, with the master's password.
func (s *Sentinels) URL() string { return s.UserURL("", s.nodes[0].kin.opt.Password) }

// UserURL is URL for a user of the master's access control list.
func (s *Sentinels) UserURL(name, password string) string {
	return s.nodes[0].url("sentinel", strings.Join(s.Addrs(), ","), "/"+sentinelName, name, password)
}

// Master is host:port of the master, as the Sentinels that run agree on it.
func (s *Sentinels) Master(ctx context.Context) (string, error) {
	agreed := ""
	for _, node := range s.nodes {
		if !node.up() {
			continue
		}
		answer, err := node.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinelName)
		if err != nil {
			return "", err
		}
		pair, _ := answer.([]any)
		if len(pair) != 2 {
			return "", fmt.Errorf("lab: Sentinel %s knows no master", node.Addr())
		}
		addr := net.JoinHostPort(fmt.Sprint(pair[0]), fmt.Sprint(pair[1]))
		if agreed != "" && addr != agreed {
			return "", fmt.Errorf("lab: the Sentinels do not agree: %s or %s", agreed, addr)
		}
		agreed = addr
	}
	if agreed == "" {
		return "", errors.New("lab: no Sentinel runs")
	}
	return agreed, nil
}

// Failover has a replica made master while the master lives, and returns when
// the Sentinels have it so.
func (s *Sentinels) Failover(ctx context.Context) error {
	old, err := s.Master(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(s.nodes, (*Redis).up)
	if _, err := s.nodes[i].Do(ctx, "SENTINEL", "FAILOVER", sentinelName); err != nil {
		return fmt.Errorf("lab: SENTINEL FAILOVER: %w", err)
	}
	_, err = s.AwaitOther(ctx, old)
	return err
}

// AwaitOther returns when the Sentinels agree on another master than old, and
// tells which.
func (s *Sentinels) AwaitOther(ctx context.Context, old string) (string, error) {
	var now string
	err := poll(ctx, 30*time.Second, nil, func(ctx context.Context) (err error) {
		if now, err = s.Master(ctx); err == nil && now == old {
			err = errors.New("lab: the master is still " + old)
		}
		return err
	})
	return now, err
}

// Close kills the Sentinels. The servers that they watched are their owner's.
func (s *Sentinels) Close() error { return closeAll(s.nodes) }
