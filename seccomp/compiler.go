package seccomp

import (
	"bytes"
	"compress/lzw"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"

	"brig/libcontainer/fault"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// embeddedCompiler is the program compiler/, compressed, and what filters in the
// cache are bound to: a hash of all that makes them.
type embeddedCompiler struct {
	packed *[]byte // by pack/
	id     string
}

// embeddedProgram is what make builds and a generated file embeds. Plain go build
// without it ends with the error that the identifier below spells.
func embeddedProgram() *embeddedCompiler {
	return &brig_is_not_complete__run_make_build_to_compile_its_seccomp_compiler
}

// result is what the compiler answers.
type result struct {
	Program []byte   `json:"program"`
	Unknown []string `json:"unknown"` // names that libseccomp does not have
	Pointer string   `json:"pointer"`
	Fault   string   `json:"fault"`
}

// maxResult bounds the answer: 4096 instructions in base64 and the unknown names.
const maxResult = 1 << 20

// runCompiler has libseccomp compile a profile. The compiler, given packed, runs
// with nothing of the caller's environment, from a sealed memfd, before any
// namespace is entered.
func runCompiler(packed []byte, profile *specs.LinuxSeccomp) (*result, error) {
	program, err := compilerFile(packed)
	if errors.Is(err, unix.EACCES) {
		return nil, fault.Hostf(pointer, err, "unpack the compiler of seccomp profiles").WithHint("is the sysctl vm.memfd_noexec 2?")
	}
	if err != nil {
		return nil, fault.Hostf(pointer, err, "unpack the compiler of seccomp profiles")
	}
	defer program.Close()
	request, err := json.Marshal(profile)
	if err != nil {
		return nil, fault.Bugf("seccomp: %v", err)
	}
	stdout, stderr := limited{left: maxResult}, limited{left: 4096}
	c := exec.Cmd{
		Path:   "/proc/self/fd/" + strconv.Itoa(int(program.Fd())),
		Args:   []string{"brig-seccomp"},
		Env:    []string{},
		Dir:    "/",
		Stdin:  bytes.NewReader(request),
		Stdout: &stdout,
		Stderr: &stderr,
	}
	err = c.Run()
	if stdout.over || stderr.over {
		err = errTooMuch // and a signal, since nobody reads it any more
	}
	if err != nil {
		return nil, fault.Hostf(pointer, err, "run the compiler of seccomp profiles").WithHint("%s", bytes.TrimSpace(stderr.text))
	}
	var r result
	if err := json.Unmarshal(stdout.text, &r); err != nil {
		return nil, fault.Bugf("the compiler of seccomp profiles: %v", err)
	}
	if r.Fault != "" {
		return nil, fault.Configf(pointer+r.Pointer, "libseccomp: %s", r.Fault)
	}
	if len(r.Program) == 0 || len(r.Program)%insnSize != 0 {
		return nil, fault.Bugf("the compiler of seccomp profiles made %d bytes", len(r.Program))
	}
	return &r, nil
}

var errTooMuch = errors.New("it says too much")

// limited stops a program that says too much.
type limited struct {
	text []byte
	left int
	over bool
}

// Write keeps what there is room for.
func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		l.over = true
		return 0, errTooMuch
	}
	l.left -= len(p)
	l.text = append(l.text, p...)
	return len(p), nil
}

// F_SEAL_WRITE would wait until nobody holds a page, and fail with EBUSY on a busy
// host where that takes longer than 75 ms. Nothing is mapped yet, so that the seal of
// future writes (5.1) forbids as much.
const compilerSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_FUTURE_WRITE

// compilerFile unpacks the compiler into a sealed memfd, opened for reading: what
// is open for writing cannot be executed.
func compilerFile(packed []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("brig-seccomp", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // MFD_EXEC is of 6.3
		fd, err = unix.MemfdCreate("brig-seccomp", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "brig-seccomp")
	defer f.Close()
	if _, err := io.Copy(f, lzw.NewReader(bytes.NewReader(packed), lzw.LSB, 8)); err != nil {
		return nil, err
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, compilerSeals); err != nil {
		return nil, err
	}
	return os.Open("/proc/self/fd/" + strconv.Itoa(fd))
}
