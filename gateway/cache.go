package gateway

import (
	"container/list"
	"sync"
)

// cache keeps the most recently used values, and never more than its bound. A
// value in it is never changed, only replaced: holders may go on reading.
type cache[V any] struct {
	mu    sync.Mutex
	max   int
	order *list.List // of entry[V], newest first
	byKey map[string]*list.Element
}

type entry[V any] struct {
	key   string
	value V
}

func newCache[V any](max int) *cache[V] {
	return &cache[V]{max: max, order: list.New(), byKey: make(map[string]*list.Element)}
}

func (c *cache[V]) get(key string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.order.MoveToFront(e)
		return e.Value.(entry[V]).value, true
	}
	var none V
	return none, false
}

func (c *cache[V]) put(key string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		e.Value = entry[V]{key, v}
		c.order.MoveToFront(e)
		return
	}
	c.byKey[key] = c.order.PushFront(entry[V]{key, v})
	if c.order.Len() > c.max {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.byKey, last.Value.(entry[V]).key)
	}
}

// change replaces a value that is there, unless f says false.
func (c *cache[V]) change(key string, f func(V) (V, bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		if v, changed := f(e.Value.(entry[V]).value); changed {
			e.Value = entry[V]{key, v}
		}
	}
}

func (c *cache[V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order.Init()
	clear(c.byKey)
}

func (c *cache[V]) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.order.Remove(e)
		delete(c.byKey, key)
	}
}
