package redis

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"path"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var lua embed.FS

// script runs on one shard, as one step. Every key it touches is in its KEYS.
type script struct{ name, body, sha string }

// scripts are all of them, by name.
type scripts map[string]*script

func loadScripts() (scripts, error) {
	common, err := lua.ReadFile("lua/common.lua")
	if err != nil {
		return nil, err
	}
	files, err := lua.ReadDir("lua")
	if err != nil {
		return nil, err
	}
	all := make(scripts)
	for _, f := range files {
		if f.Name() == "common.lua" {
			continue
		}
		own, err := lua.ReadFile(path.Join("lua", f.Name()))
		if err != nil {
			return nil, err
		}
		body := string(common) + string(own)
		sum := sha1.Sum([]byte(body)) // the name that Redis gives it
		name := strings.TrimSuffix(f.Name(), ".lua")
		all[name] = &script{name, body, hex.EncodeToString(sum[:])}
	}
	return all, nil
}

// teach makes a node know all scripts, so that callers send their names alone.
func (all scripts) teach(ctx context.Context, c *goredis.Client) error {
	p := c.Pipeline()
	for _, s := range all {
		p.ScriptLoad(ctx, s.body)
	}
	_, err := p.Exec(ctx)
	return err
}
