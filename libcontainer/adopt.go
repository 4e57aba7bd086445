package libcontainer

import (
	"errors"
	"strconv"

	"brig/libcontainer/fault"
	"brig/libcontainer/plan"
	"brig/nsenter"

	"golang.org/x/sys/unix"
)

// reason is why init has ended, if that is what an error comes from: systemd removes
// a scope as soon as nobody is in it.
func (m *made) reason(err error) error {
	const patience = 1000 // milliseconds
	if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ESRCH) {
		return err
	}
	ended := []unix.PollFd{{Fd: int32(m.pidfd), Events: unix.POLLIN}}
	if n, e := unix.Poll(ended, patience); e != nil || n == 0 {
		return err
	}
	for {
		msg, e := m.stage.Receive()
		switch {
		case e != nil || msg.Ended():
			return err
		case msg.Failed():
			return m.program.Fault(msg)
		}
	}
}

// adopt does what needs the host, for the process that the stage has forked.
func (m *made) adopt(o *CreateOptions, in *plan.Input, writes *limits, msg nsenter.Message) error {
	m.pidfd = msg.Pidfd
	proc, err := openProc()
	if err != nil {
		return err
	}
	defer proc.close()
	// First of all, because init waits for it. It ends by itself if brig does
	// before the journal has its number.
	if err := m.mapIDs(proc, in, msg.Pid); err != nil {
		return err
	}
	p, err := proc.stat(msg.Pid)
	if err != nil {
		return fault.Hostf("", err, "look at init")
	}
	boot, err := proc.bootID()
	if err != nil {
		return err
	}
	init := identity{msg.Pid, p.startTime, boot}
	m.rec = newRecord(in, &o.Bundle, init)
	m.rec.Agent = agentOf(in)
	m.rec.rdtGroups = m.rdt
	if o.Bundle.Spec != nil {
		if err := m.dir.keepConfig(o.Bundle.Spec); err != nil {
			return err
		}
	}
	if m.group != nil {
		m.rec.Driver, m.rec.Cgroup, m.rec.Scope = "fs", m.group.Path(), m.scope
	}
	if m.systemd != nil {
		m.rec.Driver = "systemd"
		if err := m.tighten(writes); err != nil {
			return err
		}
	}
	if err := m.dir.intend(intentProcess, init.line()); err != nil {
		return err
	}
	if err := m.equip(proc, in, msg.Pid); err != nil {
		return err
	}
	// From here on init has much to do and brig has not: what may wait until now has
	// waited, so that nothing keeps the stage from its processor.
	if err := m.limitDevices(in, writes); err != nil {
		return err
	}
	if err := sendPidfd(o.PidfdSocket, "standard", m.pidfd); err != nil {
		return err
	}
	if !in.Run || hasHooks(in.Spec.Hooks) {
		return nil
	}
	// There is no start to wait for: all that the payload has to find is written
	// while the stage works, and the word to go on lies ready for it.
	return m.commit()
}

// equip gives init what only the host can give it.
func (m *made) equip(proc procfs, in *plan.Input, pid int) error {
	if adj := in.Spec.Process.OOMScoreAdj; adj != nil {
		if err := proc.write(pid, "oom_score_adj", strconv.Itoa(*adj)); err != nil {
			return fault.Hostf("/process/oomScoreAdj", err, "write oom_score_adj")
		}
	}
	if err := joinResctrl(m.rdt, pid); err != nil {
		return err
	}
	return m.moveNetDevices(proc, in, pid)
}
