package libcontainer

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"brig/libcontainer/spec"
)

func TestRecordEncodesWhatJSONDecodes(t *testing.T) {
	for _, rec := range []*record{
		{},
		{
			OCIVersion: "1.3.0", ID: "a.b-c", Pid: 7, StartTime: 1 << 60, Boot: "b-2", Bundle: "/a \"b\"\\\n\x01é€😀", Rootfs: "/r",
			Created: time.Now().UTC(), Owner: 1000, Driver: "fs", Cgroup: "/x", Agent: &agent{"/run/\"a", "m\n"}, rdtGroups: rdtGroups{"/", true, "mon_groups/a"},
			Annotations: map[string]string{"z": "1", "a\"": "\t</script>", "": ""},
			Tail:        []tailStep{{1, "/process/args/0", "exec"}, {2, "", "close"}},
			Hooks:       json.RawMessage(`{"poststop":[{"path":"/a\u003cb","args":["\n"],"timeout":3}]}`), Scope: scope{"a.scope", true}, Creating: true,
		},
	} {
		var got, byJSON record
		if err := spec.Decode(rec.encode(), &got); err != nil {
			t.Fatalf("%v: %s", err, rec.encode())
		}
		if err := json.Unmarshal(rec.encode(), &byJSON); err != nil || !reflect.DeepEqual(got, byJSON) {
			t.Errorf("%+v\nis read by encoding/json as %+v %v", got, byJSON, err)
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

// FuzzRecord reads state.json of anything, and what is a record comes out of the encoder
// as it went in.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"id":"a","pid":7,"annotations":{"a":"b"},"tail":[{"first":1,"pointer":"/process","name":"x"}]}`))
	f.Add((&record{OCIVersion: "1.3.0", ID: "a", Created: time.Unix(1, 0).UTC(), Agent: &agent{"/run/a", "m"}, rdtGroups: rdtGroups{"/", true, "m"}}).encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		var rec, again, third record
		if spec.Decode(raw, &rec) != nil {
			return
		}
		if !json.Valid(raw) {
			t.Errorf("%q is no JSON, and is read as %+v", raw, rec)
		}
		if err := spec.Decode(rec.encode(), &again); err != nil {
			t.Fatalf("%v: %q", err, rec.encode())
		}
		if err := spec.Decode(again.encode(), &third); err != nil || string(again.encode()) != string(third.encode()) {
			t.Errorf("%v: %q is read as %q", err, again.encode(), third.encode())
		}
		if rec.ID != again.ID || rec.Pid != again.Pid || rec.StartTime != again.StartTime || rec.Cgroup != again.Cgroup || len(rec.Annotations) != len(again.Annotations) {
			t.Errorf("%+v is read as %+v", rec, again)
		}
	})
}
