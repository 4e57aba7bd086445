package libcontainer

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func TestRecordEncodesWhatJSONDecodes(t *testing.T) {
	for _, rec := range []*record{
		{},
		{
			OCIVersion: "1.3.0", ID: "a.b-c", Pid: 7, StartTime: 1 << 60, Boot: "b-2", Bundle: "/a \"b\"\\\n\x01é€😀", Rootfs: "/r",
			Created: time.Now().UTC(), Owner: 1000, Driver: "fs", Cgroup: "/x", Agent: &agent{"/run/\"a", "m\n"}, rdtGroups: rdtGroups{"/", true, "mon_groups/a"},
			Annotations: map[string]string{"z": "1", "a\"": "\t</script>", "": ""},
			Tail:        []tailStep{{1, "/process/args/0", "exec"}, {2, "", "close"}},
		},
	} {
		var got record
		if err := json.Unmarshal(rec.encode(), &got); err != nil {
			t.Fatalf("%v: %s", err, rec.encode())
		}
		if len(got.Annotations) == 0 {
			got.Annotations = nil
		}
		if len(got.Tail) == 0 {
			got.Tail = nil
		}
		if !reflect.DeepEqual(&got, rec) {
			t.Errorf("got  %+v\nwant %+v", got, *rec)
		}
	}
}
