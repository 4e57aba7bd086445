// Command filter attaches a BPF program to traffic as a network plugin does: to a
// cgroup, or to a device by way of tc. The program counts what it sees, and lets it pass
// or not. The maps and programs are pinned below /sys/fs/bpf.
//
//	filter cgroup KIND VERDICT NAME CGROUP   attach; KIND is ingress, egress or connect4
//	filter tc VERDICT NAME                   load and pin, for tc's object-pinned
//	filter count NAME                        how much it has seen
//	filter detach KIND NAME CGROUP
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kind is a place that programs are attached to.
type kind struct {
	program, attach uint32
	pass, drop      int32
}

var kinds = map[string]kind{
	"ingress":  {program: unix.BPF_PROG_TYPE_CGROUP_SKB, attach: unix.BPF_CGROUP_INET_INGRESS, pass: 1},
	"egress":   {program: unix.BPF_PROG_TYPE_CGROUP_SKB, attach: unix.BPF_CGROUP_INET_EGRESS, pass: 1},
	"connect4": {program: unix.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attach: unix.BPF_CGROUP_INET4_CONNECT, pass: 1},
	"tc":       {program: unix.BPF_PROG_TYPE_SCHED_CLS, drop: 2}, // TC_ACT_OK and TC_ACT_SHOT
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "filter:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 5 && args[0] == "cgroup":
		k := kinds[args[1]]
		program, err := load(k, args[2], args[3])
		if err != nil {
			return err
		}
		return attach(unix.BPF_PROG_ATTACH, k, program, args[4])
	case len(args) == 3 && args[0] == "tc":
		_, err := load(kinds["tc"], args[1], args[2])
		return err
	case len(args) == 4 && args[0] == "detach":
		program, err := object(unix.BPF_OBJ_GET, args[2], 0)
		if err != nil {
			return err
		}
		return attach(unix.BPF_PROG_DETACH, kinds[args[1]], program, args[3])
	case len(args) == 2 && args[0] == "count":
		return count(args[1])
	}
	return fmt.Errorf("no such call: %q", args)
}

// load makes a program and its map, and pins both.
func load(k kind, verdict, name string) (int, error) {
	m, err := bpf(unix.BPF_MAP_CREATE, &struct{ kind, key, value, entries uint32 }{unix.BPF_MAP_TYPE_ARRAY, 4, 8, 1})
	if err != nil {
		return -1, fmt.Errorf("a map: %w", err)
	}
	result := k.pass
	if verdict == "drop" {
		result = k.drop
	}
	code, license, log := program(m, result), []byte("GPL\x00"), make([]byte, 1<<16)
	attr := struct {
		kind, count        uint32
		code, license      unsafe.Pointer
		level, size        uint32
		log                unsafe.Pointer
		version, flags     uint32
		name               [16]byte
		ifindex, whatToTie uint32
	}{
		kind: k.program, count: uint32(len(code) / 8), code: unsafe.Pointer(&code[0]), license: unsafe.Pointer(&license[0]),
		level: 1, size: uint32(len(log)), log: unsafe.Pointer(&log[0]), whatToTie: k.attach,
	}
	fd, err := bpf(unix.BPF_PROG_LOAD, &attr)
	if err != nil {
		return -1, fmt.Errorf("a program: %w: %s", err, unix.ByteSliceToString(log))
	}
	if _, err := object(unix.BPF_OBJ_PIN, name, fd); err != nil {
		return -1, fmt.Errorf("pin %s: %w", name, err)
	}
	_, err = object(unix.BPF_OBJ_PIN, name+"-map", m)
	return fd, err
}

// program counts in the only entry of the map, and returns the verdict.
func program(m int, verdict int32) []byte {
	var code []byte
	insn := func(op, registers uint8, offset int16, value int32) {
		code = append(code, op, registers)
		code = binary.NativeEndian.AppendUint16(code, uint16(offset))
		code = binary.NativeEndian.AppendUint32(code, uint32(value))
	}
	insn(unix.BPF_ST|unix.BPF_MEM|unix.BPF_W, 10, -4, 0)                // *(u32 *)(r10 - 4) = 0
	insn(unix.BPF_ALU64|unix.BPF_MOV|unix.BPF_X, 10<<4|2, 0, 0)         // r2 = r10
	insn(unix.BPF_ALU64|unix.BPF_ADD|unix.BPF_K, 2, 0, -4)              // r2 -= 4
	insn(unix.BPF_LD|unix.BPF_DW|unix.BPF_IMM, 1<<4|1, 0, int32(m))     // r1 = the map
	insn(0, 0, 0, 0)                                                    // its upper half
	insn(unix.BPF_JMP|unix.BPF_CALL, 0, 0, 1)                           // r0 = map_lookup_elem()
	insn(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 2, 0)                 // if r0 == 0 skip 2
	insn(unix.BPF_ALU64|unix.BPF_MOV|unix.BPF_K, 1, 0, 1)               // r1 = 1
	insn(unix.BPF_STX|unix.BPF_XADD|unix.BPF_DW, 1<<4, 0, unix.BPF_ADD) // *(u64 *)r0 += r1
	insn(unix.BPF_ALU64|unix.BPF_MOV|unix.BPF_K, 0, 0, verdict)
	insn(unix.BPF_JMP|unix.BPF_EXIT, 0, 0, 0)
	return code
}

func attach(command uintptr, k kind, program int, cgroup string) error {
	group, err := unix.Open(cgroup, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", cgroup, err)
	}
	attr := struct{ target, program, kind, flags uint32 }{uint32(group), uint32(program), k.attach, 0}
	if command == unix.BPF_PROG_ATTACH {
		attr.flags = unix.BPF_F_ALLOW_MULTI
	}
	if _, err := bpf(command, &attr); err != nil {
		return fmt.Errorf("%s: %w", cgroup, err)
	}
	return nil
}

func count(name string) error {
	m, err := object(unix.BPF_OBJ_GET, name+"-map", 0)
	if err != nil {
		return err
	}
	var key uint32
	var value uint64
	_, err = bpf(unix.BPF_MAP_LOOKUP_ELEM, &struct {
		fd, _             uint32
		key, value, flags unsafe.Pointer
	}{fd: uint32(m), key: unsafe.Pointer(&key), value: unsafe.Pointer(&value)})
	fmt.Println(value)
	return err
}

// object pins what a descriptor is for, or opens what was pinned.
func object(command uintptr, name string, fd int) (int, error) {
	path := append([]byte("/sys/fs/bpf/"+name), 0)
	return bpf(command, &struct {
		path      unsafe.Pointer
		fd, flags uint32
	}{unsafe.Pointer(&path[0]), uint32(fd), 0})
}

func bpf[T any](command uintptr, attr *T) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr))
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}
