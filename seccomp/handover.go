package seccomp

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Secret tells the two calls of the runtime that stand behind a filter with a
// listener from all calls of the payload. It lies in the registers of arguments
// that the calls do not have.
type Secret [3]uint64

// NewSecret asks the kernel for a secret that nobody can guess.
func NewSecret() (Secret, error) {
	var raw [24]byte
	if _, err := unix.Getrandom(raw[:], 0); err != nil {
		return Secret{}, err
	}
	le := binary.LittleEndian
	return Secret{le.Uint64(raw[:]), le.Uint64(raw[8:]), le.Uint64(raw[16:])}, nil
}

// Instructions of Handover: the table of system calls and its number, the
// comparisons of both halves of each word, and the return.
const handoverSize = (4 + 1 + 3*2*2 + 1) * insnSize

// secretArg is the first argument that neither sendmsg nor recvmsg has.
const secretArg = 3

// Handover is what stands in front of a filter with a listener. It lets sendmsg
// and recvmsg through if they come with the secret, whatever the profile says of
// them, so that the listener reaches brig before the payload is executed. All
// other calls run on into the filter; what the kernel finds to be always allowed
// (5.11) stays so, but for these two.
func Handover(s Secret) []byte {
	f := make(fragment, 0, handoverSize)
	rest := func() uint8 { return uint8((handoverSize-len(f))/insnSize - 1) }
	f.emit(opLoad, 0, 0, dataArch)
	f.emit(opJeq, 0, rest(), nativeABI().audit)
	f.emit(opLoad, 0, 0, dataNr)
	f.emit(opJeq, 1, 0, unix.SYS_SENDMSG)
	f.emit(opJeq, 0, rest(), unix.SYS_RECVMSG)
	for i, word := range s {
		at := uint32(dataArgs + 8*(secretArg+i))
		for half := uint32(0); half < 2; half++ {
			f.emit(opLoad, 0, 0, at+4*half)
			f.emit(opJeq, 0, rest(), uint32(word>>(32*half)))
		}
	}
	f.emit(opRet, 0, 0, unix.SECCOMP_RET_ALLOW)
	return f
}
