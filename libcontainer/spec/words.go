package spec

import (
	"golang.org/x/sys/unix"
)

// The kinds of words in the options of a mount.
const (
	wordSet         = iota // sets an attribute of the mount
	wordClear              // clears one
	wordAtime              // chooses the mode of access times
	wordNoAtime            // gives up a mode of access times for the usual one
	wordPropagation        // how the mount spreads
	wordSuper              // a flag of the superblock
	wordRemount            // refused
	wordNoEffect           // has nothing to do
	wordObsolete           // has nothing to do any more
	wordBind
	wordIDMap
	wordCopyUp
	wordLink // about a link that is the source or stands at the destination
)

// recursive is added to the kind of a word that means all that is mounted below too.
// Its name is that of the other word after an r.
const recursive = 0x80

type word struct {
	name string
	kind uint8
	bits uint64
}

// words is sorted by name, which is how findWord looks. fsconfig(2) has no word
// for silent and loud, which are about messages in the kernel log, nor for
// iversion, which ext4 (6.0), XFS and Btrfs always have on.
var words = [...]word{
	{"async", wordSuper, 0},
	{"atime", wordNoAtime, unix.MOUNT_ATTR_NOATIME},
	{"bind", wordBind, 0},
	{"copy-symlink", wordLink, 0},
	{"defaults", wordNoEffect, 0},
	{"dest-nofollow", wordLink, 0},
	{"dev", wordClear, unix.MOUNT_ATTR_NODEV},
	{"diratime", wordClear, unix.MOUNT_ATTR_NODIRATIME},
	{"dirsync", wordSuper, 0},
	{"exec", wordClear, unix.MOUNT_ATTR_NOEXEC},
	{"idmap", wordIDMap, 0},
	{"iversion", wordObsolete, 0},
	{"lazytime", wordSuper, 0},
	{"loud", wordNoEffect, 0},
	{"mand", wordSuper, 0},
	{"noatime", wordAtime, unix.MOUNT_ATTR_NOATIME},
	{"nodev", wordSet, unix.MOUNT_ATTR_NODEV},
	{"nodiratime", wordSet, unix.MOUNT_ATTR_NODIRATIME},
	{"noexec", wordSet, unix.MOUNT_ATTR_NOEXEC},
	{"noiversion", wordObsolete, 0},
	{"nolazytime", wordSuper, 0},
	{"nomand", wordSuper, 0},
	{"norelatime", wordNoAtime, unix.MOUNT_ATTR_RELATIME},
	{"nostrictatime", wordNoAtime, unix.MOUNT_ATTR_STRICTATIME},
	{"nosuid", wordSet, unix.MOUNT_ATTR_NOSUID},
	{"nosymfollow", wordSet, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"private", wordPropagation, unix.MS_PRIVATE},
	{"rasync", wordSuper | recursive, 0},
	{"ratime", wordNoAtime | recursive, unix.MOUNT_ATTR_NOATIME},
	{"rbind", wordBind, 0},
	{"rdev", wordClear | recursive, unix.MOUNT_ATTR_NODEV},
	{"rdiratime", wordClear | recursive, unix.MOUNT_ATTR_NODIRATIME},
	{"rdirsync", wordSuper | recursive, 0},
	{"relatime", wordAtime, unix.MOUNT_ATTR_RELATIME},
	{"remount", wordRemount, 0},
	{"rexec", wordClear | recursive, unix.MOUNT_ATTR_NOEXEC},
	{"ridmap", wordIDMap, 0},
	{"rmand", wordSuper | recursive, 0},
	{"rnoatime", wordAtime | recursive, unix.MOUNT_ATTR_NOATIME},
	{"rnodev", wordSet | recursive, unix.MOUNT_ATTR_NODEV},
	{"rnodiratime", wordSet | recursive, unix.MOUNT_ATTR_NODIRATIME},
	{"rnoexec", wordSet | recursive, unix.MOUNT_ATTR_NOEXEC},
	{"rnomand", wordSuper | recursive, 0},
	{"rnorelatime", wordNoAtime | recursive, unix.MOUNT_ATTR_RELATIME},
	{"rnostrictatime", wordNoAtime | recursive, unix.MOUNT_ATTR_STRICTATIME},
	{"rnosuid", wordSet | recursive, unix.MOUNT_ATTR_NOSUID},
	{"rnosymfollow", wordSet | recursive, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"ro", wordSet, unix.MOUNT_ATTR_RDONLY},
	{"rprivate", wordPropagation, unix.MS_PRIVATE | unix.MS_REC},
	{"rrelatime", wordAtime | recursive, unix.MOUNT_ATTR_RELATIME},
	{"rro", wordSet | recursive, unix.MOUNT_ATTR_RDONLY},
	{"rrw", wordClear | recursive, unix.MOUNT_ATTR_RDONLY},
	{"rshared", wordPropagation, unix.MS_SHARED | unix.MS_REC},
	{"rslave", wordPropagation, unix.MS_SLAVE | unix.MS_REC},
	{"rstrictatime", wordAtime | recursive, unix.MOUNT_ATTR_STRICTATIME},
	{"rsuid", wordClear | recursive, unix.MOUNT_ATTR_NOSUID},
	{"rsymfollow", wordClear | recursive, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"rsync", wordSuper | recursive, 0},
	{"runbindable", wordPropagation, unix.MS_UNBINDABLE | unix.MS_REC},
	{"rw", wordClear, unix.MOUNT_ATTR_RDONLY},
	{"shared", wordPropagation, unix.MS_SHARED},
	{"silent", wordNoEffect, 0},
	{"slave", wordPropagation, unix.MS_SLAVE},
	{"src-nofollow", wordLink, 0},
	{"strictatime", wordAtime, unix.MOUNT_ATTR_STRICTATIME},
	{"suid", wordClear, unix.MOUNT_ATTR_NOSUID},
	{"symfollow", wordClear, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"sync", wordSuper, 0},
	{"tmpcopyup", wordCopyUp, 0},
	{"unbindable", wordPropagation, unix.MS_UNBINDABLE},
}

// findWord finds a word of the table, or nil.
func findWord(name string) *word {
	low, high := 0, len(words)
	for low < high {
		middle := (low + high) / 2
		if words[middle].name < name {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(words) && words[low].name == name {
		return &words[low]
	}
	return nil
}

// MountOptionWords lists, sorted, the mount options that brig knows and supports.
// What is not among them goes to the file system.
func MountOptionWords() []string {
	var names []string
	for i := range words {
		if words[i].kind != wordRemount {
			names = append(names, words[i].name)
		}
	}
	return names
}
