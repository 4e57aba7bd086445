package libcontainer

import (
	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// handle is a namespace that init has handed over, and its CLONE_ flag.
type handle struct {
	flag uint64
	fd   int
}

// handles are the namespaces of an init whose pidfd does not let an ordinary user in,
// in the order in which they are entered.
type handles []handle

// take keeps the namespace of a message.
func (h *handles) take(msg nsenter.Message) error {
	if msg.Pidfd < 0 {
		return fault.Bugf("the stage handed over no namespace")
	}
	*h = append(*h, handle{msg.Namespace, msg.Pidfd})
	return nil
}

func (h *handles) close() {
	for _, one := range *h {
		unix.Close(one.fd)
	}
	*h = nil
}

// receive takes the namespaces that init hands over, until it waits.
func (h *handles) receive(rec *record, control int) error {
	for {
		msg, err := nsenter.ReceiveFrom(control)
		switch {
		case err != nil:
			return err
		case msg.Failed():
			return rec.explain(msg)
		case msg.Type == nsenter.MessageReady:
			return nil
		case msg.Type == nsenter.MessageNamespace:
			if err := h.take(msg); err != nil {
				return err
			}
		default:
			return fault.Hostf("", unix.ECHILD, "init of %q was killed before it had handed over its namespaces", rec.ID)
		}
	}
}

// handedHooks runs the hooks inside the container of an ordinary user, whose init hands
// over its namespaces when it hears of the start, and waits.
func (r *Runtime) handedHooks(rec *record, control int) error {
	var h handles
	defer h.close()
	if err := h.receive(rec, control); err != nil {
		return err
	}
	if err := r.startHooks(rec, h); err != nil {
		return err
	}
	if err := unix.Send(control, []byte{'G'}, unix.MSG_NOSIGNAL); err != nil {
		return fault.Hostf("", err, "let init of %q go on", rec.ID)
	}
	return nil
}

// enteredBy says that the namespaces of init are entered one by one. The cgroup namespace,
// -1 for none, is entered later, and stays one of the handles.
func (h handles) enteredBy(in *plan.Input) (cgroupNS int) {
	cgroupNS = -1
	for _, one := range h {
		in.Join.Namespaces |= one.flag
		if one.flag == unix.CLONE_NEWCGROUP {
			cgroupNS = one.fd
			continue
		}
		in.Join.Handles = append(in.Join.Handles, one.flag)
	}
	return cgroupNS
}

// files are the fds that the program of enteredBy expects.
func (h handles) files() []int {
	var fds []int
	for _, one := range h {
		if one.flag != unix.CLONE_NEWCGROUP {
			fds = append(fds, one.fd)
		}
	}
	return fds
}
