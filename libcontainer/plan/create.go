package plan

import (
	"brig/nsenter"
)

// emitter is one entry of the create compiler.
type emitter struct {
	section string
	emit    func(*compiler)
}

// hostPart runs in the stage's first process, which has entered nothing.
var hostPart = [...]emitter{
	{"stage", (*compiler).stage},
	{"labelproc", (*compiler).openProc},
	{"namespaces", (*compiler).openNamespaces},
	{"sources", (*compiler).hostSources},
	{"rlimits-raise", (*compiler).raiseRlimits},
	{"timeOffsets", (*compiler).timeOffsets},
	{"join", (*compiler).joinNamespaces},
	{"placed", (*compiler).awaitCgroup},
	{"fork", (*compiler).fork},
}

// containerPart runs in the container's init.
var containerPart = [...]emitter{
	{"place", (*compiler).place},
	{"clocks", (*compiler).ownClocks},
	{"ids", (*compiler).becomeRoot},
	{"session", (*compiler).session},
	{"handles", (*compiler).openHandles},
	{"affinity", (*compiler).resetAffinity},
	{"label", (*compiler).labels},
	{"propagation", (*compiler).propagation},
	{"container-sources", (*compiler).containerSources},
	{"mask", (*compiler).maskTree},
	{"root", (*compiler).attachRoot},
	{"mounts", (*compiler).attachMounts},
	{"devices", (*compiler).devices},
	{"console", (*compiler).console},
	{"hooks", (*compiler).hooks},
	{"hostname", (*compiler).hostname},
	{"netDevices", (*compiler).awaitNetDevices},
	{"sysctl", (*compiler).sysctls},
	{"readonlyPaths", (*compiler).readonlyPaths},
	{"maskedPaths", (*compiler).maskedPaths},
	{"makecwd", (*compiler).makeCwd},
	{"readonly", (*compiler).readonly},
	{"pivot", (*compiler).pivot},
	{"lookup", (*compiler).lookup},
	{"stdio", (*compiler).stdio},
	{"ready", (*compiler).ready},
	{"start", (*compiler).start},
}

// tailPart is how init becomes the payload, and how a process that joins the
// container does: the two are confined alike because this is one list.
var tailPart = [...]emitter{
	{"fds", (*compiler).closeFDs},
	{"cwd", (*compiler).cwd},
	{"keyring", (*compiler).keyring},
	{"umask", (*compiler).umask},
	{"rlimits", (*compiler).rlimits},
	{"personality", (*compiler).personality},
	{"scheduler", (*compiler).scheduler},
	{"ioPriority", (*compiler).ioPriority},
	{"memoryPolicy", (*compiler).memoryPolicy},
	{"bounding", (*compiler).bounding},
	{"groups", (*compiler).groups},
	{"gid", (*compiler).gid},
	{"uid", (*compiler).uid},
	{"latecwd", (*compiler).lateCwd},
	{"capabilities", (*compiler).capabilities},
	{"noNewPrivileges", (*compiler).noNewPrivileges},
	{"timings", (*compiler).sendStamps},
	{"seccomp", (*compiler).seccomp},
	{"exec", (*compiler).exec},
}

// parentPart runs in the stage's first process after the fork.
var parentPart = [...]emitter{
	{"report", (*compiler).reportChild},
}

// Create compiles the program that makes a container. It reports all faults that
// it finds at once; a program that it returns has passed the verifier.
func Create(in *Input) (*nsenter.Program, error) {
	c := newCompiler(in)
	c.readMounts()
	if len(c.faults) > 0 {
		return nil, c.faults
	}
	c.run(hostPart[:])
	c.run(containerPart[:])
	c.run(tailPart[:])
	c.b.Bind(c.parent)
	c.run(parentPart[:])
	if len(c.faults) > 0 {
		return nil, c.faults
	}
	return c.finish()
}

func newCompiler(in *Input) *compiler {
	c := &compiler{in: in, spec: in.Spec, b: nsenter.NewBuilder()}
	c.control = nsenter.Imm(uint64(in.controlFD()))
	c.statx = c.b.Buffer("statx", statxSize)
	c.byte1 = c.b.Buffer("byte", 8)
	return c
}

// finish makes the program, and proves that it keeps the order and the rules.
func (c *compiler) finish() (*nsenter.Program, error) {
	p, err := c.b.Program()
	if err != nil {
		return nil, err
	}
	if err := checkOrder(p); err != nil {
		return nil, err
	}
	if err := Verify(p, requirementsOf(c.in)); err != nil {
		return nil, err
	}
	return p, nil
}

func (c *compiler) run(list []emitter) {
	for _, e := range list {
		c.b.Section(e.section)
		e.emit(c)
	}
}
