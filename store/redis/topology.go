package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"rouse/store"
)

// errNoNode: the cluster has nobody for a slot.
var errNoNode = errors.New("no master has this part of the cluster")

// addresses says for each shard where it is; "" is nowhere.
type addresses [store.Shards]string

// distinct gives every address once.
func (a *addresses) distinct() []string {
	seen := make(map[string]bool)
	var out []string
	for _, addr := range a {
		if addr != "" && !seen[addr] {
			seen[addr] = true
			out = append(out, addr)
		}
	}
	return out
}

// nodes are the clients of all Redis we talk to, by address. Standalone, Sentinel
// and Cluster differ only in who says where the shards are (see locator).
type nodes struct {
	o     Options
	stats *stats

	mu     sync.Mutex
	closed bool
	all    map[string]*node
	used   map[string]time.Time // when it last had a shard, or was named by a node
}

func (ns *nodes) get(addr string) (*node, error) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.closed {
		return nil, store.ErrClosed
	}
	ns.used[addr] = time.Now()
	n := ns.all[addr]
	if n == nil {
		n = newNode(addr, ns.o.client(addr), ns.o.Durability == Safe, ns.stats)
		ns.all[addr] = n
	}
	return n, nil
}

// retire closes the nodes that are not used any more.
func (ns *nodes) retire(idle time.Duration) {
	for _, n := range ns.unused(idle) {
		_ = n.close() // nothing is under way on it
	}
}

func (ns *nodes) unused(idle time.Duration) (out []*node) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for addr, n := range ns.all {
		if time.Since(ns.used[addr]) > idle {
			delete(ns.all, addr)
			delete(ns.used, addr)
			out = append(out, n)
		}
	}
	return out
}

func (ns *nodes) close() error {
	ns.mu.Lock()
	ns.closed = true
	ns.mu.Unlock()
	var errs []error
	for _, n := range ns.unused(-1) {
		errs = append(errs, n.close())
	}
	return errors.Join(errs...)
}

// client makes the client of one Redis. It never tries again by itself (run does),
// and speaks the older protocol: nothing here needs the newer one.
func (o *Options) client(addr string) *goredis.Client {
	return goredis.NewClient(&goredis.Options{
		Addr: addr, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLS,
		Protocol: 2, DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		MaxRetries: -1, DialerRetries: 1, DialTimeout: 3 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second,
		ContextTimeoutEnabled: true, PoolSize: 4, PipelinePoolSize: 2, ConnMaxIdleTime: 5 * time.Minute,
	})
}

// locator knows where the shards are.
type locator interface {
	locate(ctx context.Context) (addresses, error)
	close() error
}

// one Redis has all shards.
type one string

func (o one) locate(context.Context) (a addresses, err error) {
	for i := range a {
		a[i] = string(o)
	}
	return a, nil
}

func (one) close() error { return nil }

// sentinels say who the master is.
type sentinels struct {
	name    string
	clients []*goredis.SentinelClient
	addrs   []string
	first   int // the one that answered last
}

func newSentinels(o *Options) *sentinels {
	s := &sentinels{name: o.MasterName, addrs: o.Addrs}
	for _, addr := range o.Addrs {
		s.clients = append(s.clients, goredis.NewSentinelClient(&goredis.Options{
			Addr: addr, Username: o.SentinelUsername, Password: o.SentinelPassword, TLSConfig: o.TLS,
			Protocol: 2, DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
			MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
			ContextTimeoutEnabled: true, PoolSize: 1,
		}))
	}
	return s
}

// locate asks one Sentinel after the other.
func (s *sentinels) locate(ctx context.Context) (addresses, error) {
	var errs []error
	for i := range s.clients {
		n := (s.first + i) % len(s.clients)
		master, err := s.clients[n].GetMasterAddrByName(ctx, s.name).Result()
		if errors.Is(err, goredis.Nil) {
			err = fmt.Errorf("it watches no master %q", s.name)
		}
		if err == nil && len(master) == 2 {
			s.first = n
			return one(net.JoinHostPort(master[0], master[1])).locate(ctx)
		}
		errs = append(errs, fmt.Errorf("sentinel %s: %w", s.addrs[n], err))
	}
	return addresses{}, errors.Join(errs...)
}

func (s *sentinels) close() error {
	var errs []error
	for _, c := range s.clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// cluster asks any node of a cluster.
type cluster struct {
	nodes *nodes
	ask   []string // who answered last, whom it named, and the addresses of the configuration
	seeds []string
	slots [store.Shards]int
}

func newCluster(ns *nodes, seeds []string) *cluster {
	c := &cluster{nodes: ns, ask: seeds, seeds: seeds}
	for i := range c.slots {
		c.slots[i] = slot(strconv.Itoa(i))
	}
	return c
}

func (c *cluster) locate(ctx context.Context) (addresses, error) {
	var errs []error
	for _, addr := range c.ask {
		n, err := c.nodes.get(addr)
		if err != nil {
			return addresses{}, err
		}
		asking, cancel := context.WithTimeout(ctx, time.Second)
		spans, err := n.client.ClusterSlots(asking).Result()
		cancel()
		if err != nil {
			errs = append(errs, &Error{addr, err, remedy(err)})
			continue
		}
		a, named := c.place(addr, spans)
		c.ask = append(named, c.seeds...)
		return a, nil
	}
	return addresses{}, errors.Join(errs...)
}

func (c *cluster) place(from string, spans []goredis.ClusterSlot) (a addresses, named []string) {
	for _, span := range spans {
		if len(span.Nodes) == 0 {
			continue
		}
		addr := beside(from, span.Nodes[0].Addr) // the first one is the master
		named = append(named, addr)
		for shard, slot := range c.slots {
			if span.Start <= slot && slot <= span.End {
				a[shard] = addr
			}
		}
	}
	return a, append([]string{from}, named...)
}

func (*cluster) close() error { return nil } // its nodes are closed with the others

// beside completes an address that a node gave: without a host it means its own.
func beside(from, addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host != "" && host != "?" {
		return addr
	}
	own, _, err := net.SplitHostPort(from)
	if err != nil {
		return addr
	}
	return net.JoinHostPort(own, port)
}

// slot is the slot of Redis Cluster that a tag belongs to: CRC16 (XMODEM) modulo
// 16384 (redis.io, cluster specification, appendix).
func slot(tag string) int {
	var crc uint16
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc % 16384)
}
