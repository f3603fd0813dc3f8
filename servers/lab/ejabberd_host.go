package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// EjabberdHost is one virtual host of an Ejabberd. What concerns the whole
// server concerns the other hosts too.
type EjabberdHost struct {
	*Ejabberd
	opt EjabberdOptions
}

// On gives one of the hosts that are configured; another is a mistake in a test.
func (e *Ejabberd) On(host string) *EjabberdHost {
	for _, o := range e.hosts() {
		if o.Host == host {
			return &EjabberdHost{e, o}
		}
	}
	panic(fmt.Sprintf("lab: ejabberd is not configured for the host %q", host))
}

// hosts lists what is wanted of each.
func (e *Ejabberd) hosts() []EjabberdOptions {
	return slices.Concat([]EjabberdOptions{e.opt}, e.opt.Further)
}

// Host is the virtual host.
func (h *EjabberdHost) Host() string { return h.opt.Host }

// Rouse is the component that the host's mod_rouse reports to.
func (h *EjabberdHost) Rouse() Component { return h.opt.Rouse }

// OpenWebSocket lets clients in that way.
func (h *EjabberdHost) OpenWebSocket() (*WebSocket, error) {
	return NewWebSocket(h.httpAddr(), "/ws", h.opt.Host)
}

// LogTail is the last n lines of the log that name the host, or tell of an error.
func (h *EjabberdHost) LogTail(n int) string {
	var keep []string
	for line := range strings.Lines(h.Ejabberd.LogTail(100 * n)) {
		if strings.Contains(line, h.opt.Host) || strings.Contains(line, "[error]") || strings.Contains(line, "[critical]") {
			keep = append(keep, strings.TrimSuffix(line, "\n"))
		}
	}
	return strings.Join(keep[max(0, len(keep)-n):], "\n")
}

// AddUser makes an account in the running server, which still has it when it is
// killed right after: by itself Mnesia writes its log some seconds later.
func (h *EjabberdHost) AddUser(ctx context.Context, name, password string) error {
	if _, err := h.API(ctx, "register", map[string]string{"user": name, "host": h.opt.Host, "password": password}); err != nil {
		return err
	}
	_, err := h.Eval(ctx, "ok = mnesia:sync_log().")
	return err
}

// DeleteUser is the reverse.
func (h *EjabberdHost) DeleteUser(ctx context.Context, name string) error {
	_, err := h.API(ctx, "unregister", map[string]string{"user": name, "host": h.opt.Host})
	return err
}

// Unload takes a module out of the running host, Load puts it in as it is configured.
func (h *EjabberdHost) Unload(ctx context.Context, module string) error {
	_, err := h.Eval(ctx, fmt.Sprintf("ok = gen_mod:stop_module(<<%q>>, %s).", h.opt.Host, module))
	return err
}

// Load puts a module into the running host.
func (h *EjabberdHost) Load(ctx context.Context, module string) error {
	_, err := h.Eval(ctx, fmt.Sprintf("ok = gen_mod:start_module(<<%q>>, %s).", h.opt.Host, module))
	return err
}

// Settle waits until the processes of the host's rooms and clients have done
// what there was to do: each has one of its own, and no order holds between them.
// What one of them gave to another while it was asked is asked for once more, and
// mod_rouse's queue, where it is loaded, has all that they reported.
func (h *EjabberdHost) Settle(ctx context.Context) error {
	ask := "[catch ejabberd_c2s:get_presence(Pid) || Pid <- ejabberd_sm:get_all_pids()]"
	if h.opt.Rooms != "" {
		ask = fmt.Sprintf("[catch mod_muc_room:get_config(Pid) || {_, _, Pid} <- mod_muc:get_online_rooms(<<%q>>)], ", h.opt.Rooms) + ask
	}
	_, err := h.Eval(ctx, fmt.Sprintf("[begin %s end || _ <- [first, echo]], catch mod_rouse_queue:how_it_stands(<<%q>>), ok.", ask, h.opt.Host))
	return err
}
