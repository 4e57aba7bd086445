package plan

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestCgroupOwner(t *testing.T) {
	const (
		mount  = `{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup"}`
		user   = `{"type":"user"}`
		joined = `{"type":"user","path":"/run/user-namespace"}`
		gids   = `{"containerID":50,"hostID":900050,"size":1}`
		maps   = `{"containerID":0,"hostID":100000,"size":5},{"containerID":5,"hostID":700000,"size":3}`
	)
	for name, c := range map[string]struct {
		uid                      uint32
		namespace, maps, mounts  string
		readonly                 string
		shared, rootless, nested bool // the cgroup namespace; who runs brig
		want                     string
	}{
		"root":                      {mounts: mount},
		"another user of the host":  {uid: 7, mounts: mount},
		"a mapped root":             {namespace: user, maps: maps, mounts: mount, want: "100000 900050"},
		"the first of a range":      {uid: 5, namespace: user, maps: maps, mounts: mount, want: "700000 900050"},
		"the last of a range":       {uid: 7, namespace: user, maps: maps, mounts: mount, want: "700002 900050"},
		"a user without a mapping":  {uid: 8, namespace: user, maps: maps, mounts: mount},
		"a joined user namespace":   {uid: 4, namespace: joined, maps: maps, mounts: mount, want: "100004 900050"},
		"one of which nobody tells": {uid: 4, namespace: joined, mounts: mount},
		"cgroup2":                   {uid: 7, namespace: user, maps: maps, mounts: `{"destination":"/sys/fs/cgroup/","type":"cgroup2","source":"cgroup"}`, want: "700002 900050"},
		"no mount":                  {uid: 7, namespace: user, maps: maps, mounts: `{"destination":"/sys/fs","type":"tmpfs","source":"tmpfs"}`},
		"read-only":                 {uid: 7, namespace: user, maps: maps, mounts: `{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["ro"]}`},
		"a bind mount":              {uid: 7, namespace: user, maps: maps, mounts: `{"destination":"/sys/fs/cgroup","type":"cgroup","source":"/sys/fs/cgroup","options":["bind"]}`},
		"something on top":          {uid: 7, namespace: user, maps: maps, mounts: mount + `,{"destination":"/sys/fs/cgroup","type":"tmpfs","source":"tmpfs"}`},
		"on top of something":       {uid: 7, namespace: user, maps: maps, mounts: `{"destination":"/sys/fs/cgroup","type":"tmpfs","source":"tmpfs"},` + mount, want: "700002 900050"},
		"a path that is read-only":  {uid: 7, namespace: user, maps: maps, mounts: mount, readonly: `"/sys/fs/cgroup"`},
		"a path above it":           {uid: 7, namespace: user, maps: maps, mounts: mount, readonly: `"/proc/sys","/sys/"`},
		"other paths":               {uid: 7, namespace: user, maps: maps, mounts: mount, readonly: `"/sys/fs/cgroup/below","/sys/f"`, want: "700002 900050"},
		"a shared cgroup namespace": {uid: 7, namespace: user, maps: maps, mounts: mount, shared: true},
		"an ordinary user":          {namespace: user, maps: maps, mounts: mount, rootless: true},
		"the root of a user's":      {namespace: user, maps: maps, mounts: mount, nested: true, want: "100000 900050"},
	} {
		namespaces := `{"type":"mount"}`
		if !c.shared {
			namespaces += `,{"type":"cgroup"}`
		}
		if c.namespace != "" {
			namespaces += "," + c.namespace
		}
		in := &Input{Spec: &specs.Spec{}, Host: Host{Rootless: c.rootless, InUserNamespace: c.nested}}
		config := `{"mounts":[` + c.mounts + `],"linux":{"namespaces":[` + namespaces + `],"uidMappings":[` + c.maps + `],"gidMappings":[` + gids + `],"readonlyPaths":[` + c.readonly + `]}}`
		if err := json.Unmarshal([]byte(config), in.Spec); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := in.CgroupOwner(); got != nil {
			t.Errorf("%s: without a process it is given to %v", name, got)
		}
		in.Spec.Process = &specs.Process{User: specs.User{UID: c.uid, GID: 50}}
		got := ""
		if o := in.CgroupOwner(); o != nil {
			got = fmt.Sprint(o.UID, " ", o.GID)
		}
		if got != c.want {
			t.Errorf("%s: it is given to %q, want %q", name, got, c.want)
		}
		in.Spec.Process.User.GID = 51
		if in.CgroupOwner() != nil && c.namespace != "" {
			t.Errorf("%s: it is given to a group without a mapping", name)
		}
	}
}
