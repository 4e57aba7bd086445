package libcontainer

import (
	"encoding/json"
	"errors"
	"strconv"

	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/nsenter"
	"brig/seccomp"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const listenerPointer = "/linux/seccomp/listenerPath"

// agent is who gets the listener of a container's seccomp filter.
type agent struct {
	Path     string `json:"path"`
	Metadata string `json:"metadata,omitempty"`
}

// agentOf is nil for a filter without a listener.
func agentOf(in *plan.Input) *agent {
	if in.Filter == nil || !in.Filter.Listener {
		return nil
	}
	p := in.Spec.Linux.Seccomp
	return &agent{p.ListenerPath, p.ListenerMetadata}
}

// shareSecret gives the stage, and the filter that it loads, the secret with which
// the listener gets out.
func shareSecret(in *plan.Input) error {
	if in.Filter == nil || !in.Filter.Listener {
		return nil
	}
	var err error
	if in.Secret, err = seccomp.NewSecret(); err != nil {
		return fault.Hostf("/linux/seccomp", err, "getrandom")
	}
	return nil
}

// handOver passes the listener that a stage has sent on to the agent and lets the
// stage go on. The listener is closed in any case: what it was asked has then
// nobody to answer but the agent.
func (a *agent) handOver(listener, control, pid int, state specs.State) error {
	defer unix.Close(listener)
	if a == nil {
		return fault.Bugf("a listener without an agent")
	}
	if err := a.send(listener, pid, state); err != nil {
		return err
	}
	return nsenter.Go(control, -1)
}

// send tells the agent about the process that pid is, with the listener beside the
// first byte. The state is that of the container.
func (a *agent) send(listener, pid int, state specs.State) error {
	raw, err := json.Marshal(&specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{specs.SeccompFdName}, Pid: pid, Metadata: a.Metadata, State: state,
	})
	if err != nil {
		return fault.Bugf("the state for the seccomp agent: %v", err)
	}
	conn, err := a.connect()
	if err != nil {
		return fault.Hostf(listenerPointer, err, "failed to connect with seccomp agent specified in the seccomp profile")
	}
	defer unix.Close(conn)
	n, err := unix.SendmsgN(conn, raw, unix.UnixRights(listener), nil, unix.MSG_NOSIGNAL)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.SendmsgN(conn, raw, unix.UnixRights(listener), nil, unix.MSG_NOSIGNAL)
	}
	if err == nil && n < len(raw) {
		err = writeAll(conn, raw[n:])
	}
	if err != nil {
		return fault.Hostf(listenerPointer, err, "send the listener to the seccomp agent")
	}
	return nil
}

// agentTimeout is how long an agent may be too busy to accept a connection or to
// read.
const agentTimeout = 10 // seconds

// connect goes by an fd of the socket, because an address holds 108 bytes only.
func (a *agent) connect() (int, error) {
	name, err := unix.Open(a.Path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(name)
	conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.SetsockoptTimeval(conn, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: agentTimeout})
	if err == nil {
		address := &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(name)}
		for err = unix.EINTR; errors.Is(err, unix.EINTR); {
			err = unix.Connect(conn, address)
		}
	}
	if err != nil {
		unix.Close(conn)
		return -1, err
	}
	return conn, nil
}

// state is the container as its agent is told of it. With init that is "creating",
// even if the filter comes with the start: for agents it tells init from what is
// executed later.
func (rec *record) state(status specs.ContainerState) specs.State {
	return specs.State{
		Version: rec.OCIVersion, ID: rec.ID, Status: status, Pid: rec.Pid, Bundle: rec.Bundle, Annotations: rec.Annotations,
	}
}
