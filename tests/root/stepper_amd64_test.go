package root_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// part says which program a traced process is.
type part int

const (
	partBrig    part = iota // brig itself, all of its threads
	partSpawn               // a child of brig that has not executed its program yet
	partStage               // the stage's first process
	partInit                // its children, until one executes the payload
	partPayload             // the payload, and what it starts
	partOther               // a hook, newuidmap
)

// stop is a process that stands before a system call.
type stop struct {
	part part
	tgid int
	nr   uint64
	args [6]uint64
}

// errnoNone lets a call happen.
const errnoNone = unix.Errno(0)

// stepper runs one command under ptrace. Every process of it halts before each of its
// system calls, and before says what becomes of the call.
type stepper struct {
	t *testing.T

	// before returns an errno to fail the call with, or errnoNone.
	before func(s stop) unix.Errno

	main    int // pid of the command
	threads map[int]*thread
	early   map[int]bool // threads that came before the event that announces them
}

// thread is one traced task.
type thread struct {
	part part
	tgid int
	fail unix.Errno // what the call it is in returns
}

// tracers are threads that trace: only the thread that began may go on, and it must
// not end, or its children would be told of the death of their parent.
var tracers = make(chan func())

// trace runs f on such a thread.
func trace(f func()) {
	done := make(chan struct{})
	job := func() { defer close(done); f() }
	select {
	case tracers <- job:
	default:
		go func() {
			runtime.LockOSThread()
			for {
				job()
				job = <-tracers
			}
		}()
	}
	<-done
}

// step runs the command to its end and returns its status. What it leaves running goes
// on untraced. Each of inits, which are the inits of containers that have been created, is
// stopped at its calls too.
func step(t *testing.T, cmd *exec.Cmd, before func(s stop) unix.Errno, inits ...int) (status unix.WaitStatus, err error) {
	t.Helper()
	s := &stepper{t: t, before: before, threads: map[int]*thread{}, early: map[int]bool{}}
	trace(func() {
		for _, pid := range inits {
			if err = s.attach(pid); err != nil {
				return
			}
		}
		if status, err = s.run(cmd); err == nil {
			err = s.release()
		}
	})
	return status, err
}

// attach traces a process that waits for its start.
func (s *stepper) attach(pid int) error {
	if err := unix.PtraceAttach(pid); err != nil {
		return fmt.Errorf("attach to init: %w", err)
	}
	if _, err := unix.Wait4(pid, nil, unix.WALL, nil); err != nil {
		return err
	}
	if err := unix.PtraceSetOptions(pid, ptraceEvents); err != nil {
		return err
	}
	s.threads[pid] = &thread{part: partInit, tgid: pid}
	return unix.PtraceSyscall(pid, 0)
}

// ptraceEvents are the events that make the processes of a command known.
const ptraceEvents = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK |
	unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC

func (s *stepper) run(cmd *exec.Cmd) (unix.WaitStatus, error) {
	cmd.SysProcAttr.Ptrace = true
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	s.main = cmd.Process.Pid
	var status unix.WaitStatus
	if _, err := unix.Wait4(s.main, &status, unix.WALL, nil); err != nil {
		return 0, err
	}
	if err := unix.PtraceSetOptions(s.main, ptraceEvents); err != nil {
		return 0, err
	}
	s.threads[s.main] = &thread{part: partBrig, tgid: s.main}
	if err := unix.PtraceSyscall(s.main, 0); err != nil {
		return 0, err
	}
	// A command that hangs is a bug that the test that waits for it finds here.
	hangs := time.AfterFunc(time.Minute, func() {
		s.t.Errorf("it does not end: %s", calls(s.main))
		_ = unix.Kill(s.main, unix.SIGKILL)
	})
	defer hangs.Stop()
	for {
		tid, status, err := s.wait()
		if err != nil {
			return 0, err
		}
		if !status.Stopped() {
			delete(s.threads, tid)
			if tid == s.main {
				return status, nil
			}
			continue
		}
		s.stopped(tid, status)
	}
}

// wait waits for the next traced thread. The thread that traces may have children of
// other tests, from the time before it was one, and those are not to be reaped.
func (s *stepper) wait() (int, unix.WaitStatus, error) {
	for {
		// The ID is at 16 of a siginfo_t.
		var info [128]byte
		_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_ALL, 0, uintptr(unsafe.Pointer(&info)),
			unix.WALL|unix.WNOTHREAD|unix.WNOWAIT|unix.WEXITED|unix.WSTOPPED, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return 0, 0, fmt.Errorf("waitid: %w", errno)
		}
		tid := int(binary.NativeEndian.Uint32(info[16:]))
		if s.threads[tid] == nil && statusOf(tid, "TracerPid") != unix.Gettid() {
			runtime.Gosched() // whose it is reaps it in a moment
			continue
		}
		// Its stop is over if it was killed since; and the first thread of a process that
		// was does not end for its tracer before the others have.
		var status unix.WaitStatus
		n, err := unix.Wait4(tid, &status, unix.WALL|unix.WNOTHREAD|unix.WNOHANG, nil)
		if n != 0 && !errors.Is(err, unix.EINTR) {
			return tid, status, err
		}
	}
}

// calls are the system calls that the threads of a process are in.
func calls(pid int) string {
	list, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	var out strings.Builder
	for _, name := range list {
		raw, err := os.ReadFile(name)
		if err == nil {
			fmt.Fprintf(&out, "%s: %s", name, raw)
		}
	}
	return out.String()
}

// release lets go of what the command left running: each thread is stopped for it.
func (s *stepper) release() error {
	for tid := range s.early {
		_ = unix.PtraceDetach(tid) // its parent's event has not come
	}
	for tid, th := range s.threads {
		if err := unix.Tgkill(th.tgid, tid, unix.SIGSTOP); err != nil {
			delete(s.threads, tid)
		}
	}
	for len(s.threads) > 0 {
		tid, status, err := s.wait()
		switch {
		case errors.Is(err, unix.ECHILD):
			return nil // the last has gone meanwhile
		case err != nil:
			return err
		case !status.Stopped():
			delete(s.threads, tid)
		case status.StopSignal() == unix.SIGSTOP:
			tgid := s.threads[tid].group(tid)
			delete(s.threads, tid)
			s.early[tid] = true // should its parent's event come yet
			err = unix.PtraceDetach(tid)
			// If this was the stop that a new thread begins with, the one for it is to come.
			_ = unix.Kill(tgid, unix.SIGCONT)
		case status.StopSignal()&^0x80 == unix.SIGTRAP:
			s.awaitChild(tid, status)
			err = unix.PtraceCont(tid, 0)
		default:
			err = unix.PtraceCont(tid, int(status.StopSignal()))
		}
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// group is the process of a thread, which may not be known yet.
func (th *thread) group(tid int) int {
	if th == nil {
		return tid
	}
	return th.tgid
}

// awaitChild waits for the first stop of a process that was made at the last moment, to
// release it too.
func (s *stepper) awaitChild(tid int, status unix.WaitStatus) {
	switch status.TrapCause() {
	case unix.PTRACE_EVENT_CLONE, unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK:
		if child, err := unix.PtraceGetEventMsg(tid); err == nil && !s.early[int(child)] {
			s.threads[int(child)] = &thread{tgid: int(child)}
		}
	}
}

// stopped handles one stop, and lets the thread go on.
func (s *stepper) stopped(tid int, status unix.WaitStatus) {
	th := s.threads[tid]
	if th == nil {
		s.early[tid] = true // its parent's event comes
		return
	}
	signal := 0
	switch sig := status.StopSignal(); {
	case sig == unix.SIGTRAP|0x80:
		s.call(tid, th)
	case sig == unix.SIGTRAP && status.TrapCause() > 0:
		s.event(tid, th, status.TrapCause())
	case sig == unix.SIGSTOP:
		// A new thread begins with it.
	default:
		signal = int(sig)
	}
	// A thread that was killed meanwhile is waited for all the same.
	_ = unix.PtraceSyscall(tid, signal)
}

// event is a new process, or a new program.
func (s *stepper) event(tid int, th *thread, cause int) {
	message, err := unix.PtraceGetEventMsg(tid)
	if err != nil {
		return
	}
	if cause == unix.PTRACE_EVENT_EXEC {
		// It takes the ID of its group's leader.
		delete(s.threads, int(message))
		s.threads[tid] = &thread{part: executed(th.part, tid), tgid: tid}
		return
	}
	child := &thread{part: th.part, tgid: th.tgid}
	if tgid := statusOf(int(message), "Tgid"); tgid != th.tgid && tgid != 0 {
		child.tgid = tgid
		switch th.part {
		case partBrig:
			child.part = partSpawn
		case partStage:
			child.part = partInit
		}
	}
	s.threads[int(message)] = child
	if s.early[int(message)] {
		delete(s.early, int(message))
		_ = unix.PtraceSyscall(int(message), 0)
	}
}

// executed is what a process is after an execve.
func executed(was part, pid int) part {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	switch {
	case was == partBrig, err != nil:
		return was
	case strings.HasPrefix(exe, "/memfd:brig"):
		return partStage
	case was == partSpawn:
		return partOther
	default:
		return partPayload
	}
}

// statusOf is a number of a thread's status, 0 for a thread that is gone.
func statusOf(tid int, key string) (n int) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err == nil {
		_, after, _ := strings.Cut(string(raw), "\n"+key+":")
		fmt.Sscan(after, &n)
	}
	return n
}

// ptraceSyscallInfo is PTRACE_GET_SYSCALL_INFO, with the values of its first byte.
const (
	ptraceSyscallInfo  = 0x420e
	syscallInfoEntry   = 1
	syscallInfoExit    = 2
	syscallInfoSize    = 88
	syscallInfoPayload = 24 // where the union begins
)

// call is the entry of a system call, or its end.
func (s *stepper) call(tid int, th *thread) {
	var info [syscallInfoSize]byte
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, ptraceSyscallInfo, uintptr(tid), syscallInfoSize,
		uintptr(unsafe.Pointer(&info)), 0, 0); errno != 0 {
		return // it was killed
	}
	switch info[0] {
	case syscallInfoEntry:
		at := stop{part: th.part, tgid: th.tgid, nr: binary.NativeEndian.Uint64(info[syscallInfoPayload:])}
		for i := range at.args {
			at.args[i] = binary.NativeEndian.Uint64(info[syscallInfoPayload+8*(i+1):])
		}
		if th.fail = s.before(at); th.fail == errnoNone || at.nr == unix.SYS_CLOSE {
			return // a close that fails has closed
		}
		if err := skipCall(tid); err != nil {
			s.t.Errorf("ptrace cannot skip a call: %v", err)
		}
	case syscallInfoExit:
		if th.fail != errnoNone {
			if err := setResult(tid, th.fail); err != nil {
				s.t.Errorf("ptrace cannot set a result: %v", err)
			}
			th.fail = errnoNone
		}
	}
}

// skipCall makes a call that a process stands before none.
func skipCall(tid int) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	regs.Orig_rax = ^uint64(0)
	return unix.PtraceSetRegs(tid, &regs)
}

// setResult makes a call that a process comes from one that failed.
func setResult(tid int, errno unix.Errno) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	regs.Rax = uint64(-int64(errno))
	return unix.PtraceSetRegs(tid, &regs)
}
