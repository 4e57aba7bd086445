package seccomp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// call is a system call that does nothing, or nothing that matters, if it is let
// through.
type call struct {
	name string
	args [6]uintptr
}

var nowhere = ^uintptr(0) // no file descriptor and no address

var calls = []call{
	{"getpid", [6]uintptr{}},
	{"close", [6]uintptr{nowhere}},
	{"mseal", [6]uintptr{1}},
	{"cachestat", [6]uintptr{nowhere}},
	{"listxattrat", [6]uintptr{nowhere}},
	{"statx", [6]uintptr{nowhere, nowhere}},
	{"openat2", [6]uintptr{nowhere, nowhere}},
	{"clone", [6]uintptr{unix.CLONE_NEWUSER | unix.CLONE_THREAD}}, // never valid
	{"clone3", [6]uintptr{}},
	{"unshare", [6]uintptr{}},
	{"setns", [6]uintptr{nowhere}},
	{"io_uring_setup", [6]uintptr{}},
	{"io_uring_enter", [6]uintptr{nowhere}},
	{"keyctl", [6]uintptr{nowhere}},
	{"bpf", [6]uintptr{nowhere}},
	{"userfaultfd", [6]uintptr{nowhere}},
	{"perf_event_open", [6]uintptr{nowhere}},
	{"mount", [6]uintptr{nowhere, nowhere}},
	{"fsopen", [6]uintptr{nowhere}},
	{"open_tree_attr", [6]uintptr{nowhere}},
	{"statmount", [6]uintptr{nowhere}},
	{"listns", [6]uintptr{nowhere}},
	{"ptrace", [6]uintptr{nowhere}},
	{"kexec_load", [6]uintptr{0, 100}},
	{"personality", [6]uintptr{0xffffffff}},
	{"personality", [6]uintptr{0x0040000}},
	{"socket", [6]uintptr{unix.AF_ALG, 77}},
	{"socket", [6]uintptr{unix.AF_VSOCK, 77}},
	{"socket", [6]uintptr{unix.AF_INET, 77}},
	{"ioctl", [6]uintptr{nowhere, unix.TIOCSTI}},
	{"ioctl", [6]uintptr{nowhere, unix.TIOCSTI | 1<<32}},
	{"ioctl", [6]uintptr{nowhere, unix.TIOCGWINSZ}},
	{"", [6]uintptr{472}},
	{"", [6]uintptr{5000}},
}

// The kernel does what the interpreter says, for brig's profile and for Docker's.
func TestKernelAgrees(t *testing.T) {
	p := Default(runtime.GOARCH)
	switch os.Getenv("SECCOMP_ROLE") {
	case "":
		role(t, "default")
		role(t, "docker")
		return
	case "docker":
		p = docker(t)
	}
	f, err := Cache{}.Load(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := install(f); err != nil {
		t.Fatal(err)
	}
	for _, c := range calls {
		nr, args := int(c.args[0]), [6]uintptr{}
		if c.name != "" {
			nr, _ = SyscallNumber(runtime.GOARCH, c.name)
			args = c.args
		}
		d := Data{Nr: int32(nr), Arch: nativeABI().audit}
		for i, a := range args {
			d.Args[i] = uint64(a)
		}
		want, err := f.Evaluate(d)
		if err != nil {
			t.Fatal(err)
		}
		_, _, errno := unix.RawSyscall6(uintptr(nr), args[0], args[1], args[2], args[3], args[4], args[5])
		refused := want&^retData == unix.SECCOMP_RET_ERRNO
		if refused && errno != syscall.Errno(want&retData) || !refused && errno == unix.EPERM {
			t.Errorf("%s %d %#x: got %v where the filter says %s", c.name, nr, args, errno, returned(want))
		}
	}
}

// Programs of all kinds run under the default profile: dynamic and static ones, Go,
// interpreters, and runtimes with compilers in them.
func TestProgramsUnderDefault(t *testing.T) {
	switch os.Getenv("SECCOMP_ROLE") {
	case "exec":
		executeUnder(t, strings.Split(os.Getenv("SECCOMP_ARGV"), "\x1f"))
	case "go":
		goProgram(t)
		return
	}
	dir := t.TempDir()
	for _, argv := range [][]string{
		{"/bin/sh", "-c", `echo a | cat | grep a >FILE && ls -l FILE && cp FILE FILE.2 && mv FILE.2 FILE.3 && mkdir -p FILE.d && touch FILE.d/x &&
			tar -cf FILE.tar FILE && sort FILE && date && id && uname -a && df / && ps >/dev/null; find FILE.d -delete`},
		{"busybox", "sh", "-c", `echo a | busybox grep a && busybox ls / && busybox ps >/dev/null && busybox vi --help`},
		{"python3", "-c", pythonScript},
		{"node", "-e", nodeScript},
		{"perl", "-e", `use threads; print "$_\n" for map { $_->join } map { threads->create(sub { 1 }) } 1..4; print qx(echo child)`},
		{"gcc", "-x", "c", "-o", "FILE.out", "/dev/null", "-shared"},
		{"git", "init", "-q", "FILE.git"},
		{"java", "-Xshare:auto", "-version"},
		{os.Args[0], "-test.run=^TestProgramsUnderDefault$"},
	} {
		t.Run(filepath.Base(argv[0]), func(t *testing.T) {
			path, err := exec.LookPath(argv[0])
			if err != nil {
				t.Skipf("%s is not installed", argv[0])
			}
			list := append([]string{path}, argv[1:]...)
			for i := range list {
				list[i] = strings.ReplaceAll(list[i], "FILE", dir+"/file")
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestProgramsUnderDefault$")
			cmd.Env = append(os.Environ(), "SECCOMP_ROLE=exec", "SECCOMP_ARGV="+strings.Join(list, "\x1f"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func executeUnder(t *testing.T, argv []string) {
	f, err := Cache{}.Load(Default(runtime.GOARCH))
	if err != nil {
		t.Fatal(err)
	}
	if err := install(f); err != nil {
		t.Fatal(err)
	}
	os.Setenv("SECCOMP_ROLE", "go")
	t.Fatal(unix.Exec(argv[0], argv, os.Environ()))
}

const pythonScript = `
import asyncio, mmap, multiprocessing, os, random, socket, ssl, sqlite3, subprocess, tempfile, threading, time
ts = [threading.Thread(target=time.sleep, args=(0.001,)) for _ in range(8)]
[t.start() for t in ts]; [t.join() for t in ts]
assert subprocess.check_output(["echo", "x"]) == b"x\n"
with multiprocessing.Pool(2) as p: assert p.map(abs, [-1, -2]) == [1, 2]
s = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(s.getsockname()); c.close(); s.close()
asyncio.run(asyncio.sleep(0)); os.urandom(8); mmap.mmap(-1, 4096)
with tempfile.TemporaryDirectory() as d: sqlite3.connect(d + "/db").execute("create table a(b)")
ssl.create_default_context(); random.random()
`

const nodeScript = `
const { Worker } = require('worker_threads'), cp = require('child_process'), fs = require('fs'), net = require('net'), os = require('os');
if (cp.execSync('echo x').toString() !== 'x\n') process.exit(3);
fs.readdirSync('/'); os.cpus(); os.networkInterfaces();
new Worker('process.exit(0)', { eval: true }).on('exit', code => {
	const s = net.createServer(c => c.end()).listen(0, '127.0.0.1', () => net.connect(s.address().port).on('close', () => { s.close(); process.exit(code); }).resume());
});
`

// goProgram does what most programs in Go do.
func goProgram(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			runtime.LockOSThread() // one thread each
			runtime.GC()
		})
	}
	wg.Wait()
	if out, err := exec.Command("echo", "x").Output(); err != nil || string(out) != "x\n" {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := os.WriteFile(filepath.Join(t.TempDir(), "x"), []byte(fmt.Sprint(os.Getpid())), 0o600); err != nil {
		t.Error(err)
	}
	if err := unix.Unshare(unix.CLONE_NEWUSER); !errors.Is(err, unix.EPERM) {
		t.Errorf("unshare: %v", err)
	}
}
