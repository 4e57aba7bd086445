package libcontainer

import (
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// watch begins to keep the signal by which supervisors end a program: from the word to
// go on there may be a payload that it is meant for. It is watched well before, because
// the Go runtime lets other threads run on while one ends the process. But not while
// brig waits for a hook, an agent or another that may never answer: until then it ends
// brig, and with it what there is of a container.
func watch() chan os.Signal {
	signals := make(chan os.Signal, 128)
	signal.Notify(signals, unix.SIGTERM)
	return signals
}

// heed ends brig by a signal that came while there was no payload to pass it on to.
func heed(signals chan os.Signal) {
	select {
	case <-signals:
		signal.Reset(unix.SIGTERM)
		for {
			unix.Kill(unix.Getpid(), unix.SIGTERM)
			unix.Pause()
		}
	default:
	}
}

// forward passes on the signals that brig gets, but for those that are about brig
// itself. To watch one costs the Go runtime a switch of threads to and fro, which a
// payload like /bin/true would wait for. So those of a terminal are watched a moment
// after the start, and the others when a short payload is long over.
func forward(signals chan os.Signal, pidfd int) *forwarding {
	if signals == nil {
		signals = watch()
	}
	f := &forwarding{}
	go f.run(signals, pidfd)
	return f
}

// forwarding knows the last signal that was passed on.
type forwarding struct{ last atomic.Int32 }

func (f *forwarding) run(signals chan os.Signal, pidfd int) {
	time.Sleep(watchTerminal)
	signal.Notify(signals, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT)
	time.Sleep(watchAll - watchTerminal)
	signal.Notify(signals)
	for s := range signals {
		n, ok := s.(unix.Signal)
		if !ok || n == unix.SIGCHLD || n == unix.SIGURG || n == unix.SIGPIPE || n == unix.SIGWINCH {
			continue
		}
		f.last.Store(int32(n))
		unix.PidfdSendSignal(pidfd, n, nil, 0)
	}
}

// killed says that an exit status is that of a signal that was passed on. Then it is not
// worth a word if it has met the stage and not yet the payload.
func (f *forwarding) killed(status int) bool {
	last := f.last.Load()
	return last != 0 && status == 128+int(last)
}

// How long after the start signals are watched.
const (
	watchTerminal = 3 * time.Millisecond
	watchAll      = 20 * time.Millisecond
)
