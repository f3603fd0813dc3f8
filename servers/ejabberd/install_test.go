package ejabberd_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rouse/servers/ejabberd"
	"rouse/servers/lab"
	"rouse/servers/servertest"
)

// The module is installed into an ejabberd that has never heard of it, by ejabberd's own command for that, as docs/servers.md says; then
// the configuration names it, and nobody has to log in anew.
func TestInstall(t *testing.T) {
	t.Parallel()
	slots <- struct{}{}
	t.Cleanup(func() { <-slots })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	bare := t.TempDir() // has what the lab needs, and not the module
	check(lab.CompileEjabberd(ctx, bare))
	beams, err := filepath.Glob(filepath.Join(bare, "mod_rouse*.beam"))
	check(err)
	for _, b := range beams {
		check(os.Remove(b))
	}
	opt := lab.EjabberdOptions{Dir: t.TempDir(), Ebin: bare, NoModule: true, Users: map[string]string{"alice": "a", "bob": "b", "carol": "c"}}
	e, err := lab.StartEjabberd(ctx, opt)
	check(err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what ejabberd complained about:\n%s", complaints(e))
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	phone, err := clients.Login(ctx, lab.ClientOptions{JID: "alice@" + e.Host() + "/phone", Password: "a", Addr: e.ClientAddr()})
	check(err)

	check(ejabberd.Extract(filepath.Join(e.ModulesDir(), "sources")))
	out, err := e.API(ctx, "modules_available", map[string]string{})
	check(err)
	if !strings.Contains(out, "mod_rouse") {
		t.Errorf("modules_available: %s", out)
	}
	if out, err := e.API(ctx, "module_install", map[string]string{"module": "mod_rouse"}); err != nil || strings.TrimSpace(out) != "0" {
		t.Fatalf("module_install: %v %s", err, out)
	}
	check(e.Configure(func(o *lab.EjabberdOptions) { o.NoModule = false }))
	_, err = e.API(ctx, "reload_config", map[string]string{})
	check(err)

	r := &rig{Rig: servertest.NewRig(t, ctx, e, clients, opt.Users), e: e}
	r.Settle = r.settle
	r.Say("one")
	_, err = phone.AwaitBody(ctx, "one")
	check(err)
	r.Check(phone.Drop(ctx))
	r.Event("hibernated", "user", "alice")

	// It is there after a restart, and gone when it is taken out.
	r.F.Disconnect()
	check(e.Restart(ctx))
	r.F.Connect()
	r.WaitFor("a batch of the new epoch", func() bool { return r.LastBatch().Attr("seq") == "1" })
	check(e.Configure(func(o *lab.EjabberdOptions) { o.NoModule = true }))
	_, err = e.API(ctx, "reload_config", map[string]string{})
	check(err)
	if n := r.triggers(); n != allTriggers {
		t.Errorf("%d triggers of mod_push stand after the module is gone, want %d", n, allTriggers)
	}
	if out, err := e.API(ctx, "module_uninstall", map[string]string{"module": "mod_rouse"}); err != nil || strings.TrimSpace(out) != "0" {
		t.Errorf("module_uninstall: %v %s", err, out)
	}
}
