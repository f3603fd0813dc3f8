//go:build linux

package lab_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"rouse/servers/lab"
)

// TestRedisEndsWithItsParent kills a program that has a running and a paused
// server; that program is this test once more.
func TestRedisEndsWithItsParent(t *testing.T) {
	const dirOfParent = "ROUSE_LAB_DIR"
	if dir := os.Getenv(dirOfParent); dir != "" {
		for _, name := range []string{"running", "paused"} {
			r, err := lab.StartRedis(t.Context(), lab.RedisOptions{Dir: dir + "/" + name})
			if err != nil {
				t.Fatal(err)
			}
			info, err := r.Info(t.Context(), "server")
			if err != nil {
				t.Fatal(err)
			}
			if name == "paused" {
				if err := r.Pause(); err != nil {
					t.Fatal(err)
				}
			}
			fmt.Println("server", info["process_id"])
		}
		<-t.Context().Done() // never: the parent is killed
	}
	parent := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	parent.Env = append(os.Environ(), dirOfParent+"="+t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []string
	for lines := bufio.NewScanner(out); len(pids) < 2 && lines.Scan(); {
		if pid, ok := strings.CutPrefix(lines.Text(), "server "); ok {
			pids = append(pids, pid)
		}
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	parent.Wait()
	if len(pids) != 2 {
		t.Fatalf("servers %v, want two", pids)
	}
	for _, pid := range pids {
		eventually(t, "server "+pid+" is gone", func() bool {
			// Without a parent it may stay as a zombie where nobody collects it.
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			return err != nil || strings.Contains(string(stat), ") Z ")
		})
	}
}
