package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// clusterSlots is how many slots a Redis Cluster has.
const clusterSlots = 16384

// RedisCluster is a Redis Cluster. As with Redis, what changes it is for one
// goroutine at a time.
type RedisCluster struct{ nodes []*Redis }

// StartRedisCluster runs masters, with replicasEach replicas for each, every
// node with the same options and a directory of its own in opt.Dir. It returns
// when all nodes find the cluster whole. That takes more than 2 s: so long a new
// master refuses commands.
func StartRedisCluster(ctx context.Context, masters, replicasEach int, opt RedisOptions) (*RedisCluster, error) {
	c := &RedisCluster{}
	for i := range masters * (1 + replicasEach) {
		node := &Redis{opt: opt, role: clusterNode}
		node.opt.ReplicaOf, node.opt.Dir = nil, filepath.Join(opt.Dir, fmt.Sprintf("node%d", i))
		if i > 0 {
			node.kin = c.nodes[0]
		}
		c.nodes = append(c.nodes, node)
	}
	if err := c.start(ctx, masters); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *RedisCluster) start(ctx context.Context, masters int) error {
	if err := createAll(ctx, c.nodes); err != nil {
		return err
	}
	var ids []string
	for i, node := range c.nodes {
		// Different epochs from the beginning: else the nodes have to settle that first.
		steps := [][]string{{"CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i + 1)}}
		if i < masters {
			steps = append(steps, []string{"CLUSTER", "ADDSLOTSRANGE",
				strconv.Itoa(clusterSlots * i / masters), strconv.Itoa(clusterSlots*(i+1)/masters - 1)})
		}
		if i > 0 {
			first := c.nodes[0]
			steps = append(steps, []string{"CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(first.port), strconv.Itoa(first.bus)})
		}
		for _, step := range steps {
			if _, err := node.Do(ctx, step...); err != nil {
				return fmt.Errorf("lab: %s: %w", strings.Join(step, " "), err)
			}
		}
		id, err := node.id(ctx)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	for i := masters; i < len(c.nodes); i++ {
		// Refused as long as the node has not heard of its master.
		err := c.nodes[i].running.await(ctx, func(ctx context.Context) error {
			_, err := c.nodes[i].Do(ctx, "CLUSTER", "REPLICATE", ids[i%masters])
			return err
		})
		if err != nil {
			return fmt.Errorf("lab: CLUSTER REPLICATE: %w", err)
		}
	}
	return c.Await(ctx)
}

// createAll starts the first, which makes the certificate if one is wanted,
// and then the others at the same time.
func createAll(ctx context.Context, servers []*Redis) error {
	if err := servers[0].create(ctx); err != nil {
		return err
	}
	errs := make([]error, len(servers))
	var all sync.WaitGroup
	for i := 1; i < len(servers); i++ {
		all.Go(func() { errs[i] = servers[i].create(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (r *Redis) id(ctx context.Context) (string, error) {
	answer, err := r.Do(ctx, "CLUSTER", "MYID")
	id, _ := answer.(string)
	return id, err
}

// Await returns when every node that runs finds the cluster whole, knows every
// other that runs, and follows its master if it has one.
func (c *RedisCluster) Await(ctx context.Context) error {
	return poll(ctx, 30*time.Second, nil, func(ctx context.Context) error {
		for _, node := range c.nodes {
			if !node.up() {
				continue
			}
			if err := c.settled(ctx, node); err != nil {
				return fmt.Errorf("lab: node %s: %w", node.Addr(), err)
			}
		}
		return nil
	})
}

func (c *RedisCluster) settled(ctx context.Context, node *Redis) error {
	answer, err := node.Do(ctx, "CLUSTER", "INFO")
	if err != nil {
		return err
	}
	if state := fields(answer)["cluster_state"]; state != "ok" {
		return errors.New("cluster_state is " + state)
	}
	info, err := node.Info(ctx, "replication")
	if err != nil {
		return err
	}
	if info["role"] == "slave" && info["master_link_status"] != "up" {
		return errors.New("it does not follow its master yet")
	}
	answer, err = node.Do(ctx, "CLUSTER", "NODES")
	if err != nil {
		return err
	}
	table, _ := answer.(string)
	for _, other := range c.nodes {
		if !other.up() {
			continue
		}
		// id ip:port@bus flags master ping-sent pong-received epoch link-state slots
		_, row, _ := strings.Cut(table, " "+other.Addr()+"@")
		row, _, _ = strings.Cut(row, "\n")
		f := strings.Fields(row)
		if len(f) < 7 || strings.Contains(f[1], "fail") || strings.Contains(f[1], "handshake") || f[6] != "connected" && other != node {
			return fmt.Errorf("it knows of %s only %q", other.Addr(), row)
		}
	}
	return nil
}

// Nodes are the masters that it began with, then their replicas: with n masters
// node n+i follows node i.
func (c *RedisCluster) Nodes() []*Redis { return c.nodes }

// Addrs are host:port of all nodes.
func (c *RedisCluster) Addrs() []string { return addrs(c.nodes) }

func addrs(servers []*Redis) []string {
	var list []string
	for _, s := range servers {
		list = append(list, s.Addr())
	}
	return list
}

// URL is what store.url says.
func (c *RedisCluster) URL() string { return c.UserURL("", c.nodes[0].opt.Password) }

// UserURL is URL for a user of the access control list.
func (c *RedisCluster) UserURL(name, password string) string {
	return c.nodes[0].url("cluster", strings.Join(c.Addrs(), ","), "", name, password)
}

// CAFile is the certificate that a client has to trust, with TLS.
func (c *RedisCluster) CAFile() string { return c.nodes[0].CAFile() }

// Owner is the node that the running nodes name as the master of a slot.
func (c *RedisCluster) Owner(ctx context.Context, slot int) (*Redis, error) {
	var last error
	for _, node := range c.nodes {
		if !node.up() {
			continue
		}
		answer, err := node.Do(ctx, "CLUSTER", "SLOTS")
		if err != nil {
			last = err
			continue
		}
		port, ok := ownerPort(answer, int64(slot))
		for _, owner := range c.nodes {
			if ok && int64(owner.port) == port {
				return owner, nil
			}
		}
	}
	return nil, errors.Join(fmt.Errorf("lab: no node names a master of slot %d", slot), last)
}

// ownerPort finds a slot in CLUSTER SLOTS: [[first, last, [ip, port, id, …], replicas …] …].
func ownerPort(answer any, slot int64) (int64, bool) {
	list, _ := answer.([]any)
	for _, entry := range list {
		row, _ := entry.([]any)
		if len(row) < 3 {
			continue
		}
		first, _ := row[0].(int64)
		last, _ := row[1].(int64)
		master, _ := row[2].([]any)
		if slot >= first && slot <= last && len(master) > 1 {
			port, ok := master[1].(int64)
			return port, ok
		}
	}
	return 0, false
}

// Close kills all nodes.
func (c *RedisCluster) Close() error { return closeAll(c.nodes) }

func closeAll(servers []*Redis) error {
	var errs []error
	for _, s := range servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
