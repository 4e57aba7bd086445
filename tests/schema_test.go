package tests

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schema compiles one of the JSON schemas of the runtime-spec, which come with its
// module.
func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/opencontainers/runtime-spec").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.UseLoader(specSchemas{})
	s, err := c.Compile(filepath.Join(strings.TrimSpace(string(out)), "schema", name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// specSchemas loads schemas whose references lack a slash, which only some libraries
// forgive.
type specSchemas struct{}

func (specSchemas) Load(url string) (any, error) {
	text, err := os.ReadFile(strings.TrimPrefix(url, "file://"))
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(bytes.ReplaceAll(text, []byte("#definitions/"), []byte("#/definitions/"))))
}

// valid says whether a text is one JSON value that the schema allows.
func valid(s *jsonschema.Schema, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(value)
}

// brig is the binary that make builds, run with arguments.
func brig(t *testing.T, args ...string) []byte {
	t.Helper()
	const binary = "../brig"
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("%s: run make build", binary)
	}
	cmd := exec.Command(binary, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	// Engines read stdout and stderr of features as one.
	if err != nil || args[0] == "features" && stderr.Len() > 0 {
		t.Fatalf("brig %s: %v, %s", strings.Join(args, " "), err, stderr.String())
	}
	return out
}

// What brig features prints is what the specification says.
func TestFeaturesSchema(t *testing.T) {
	s := schema(t, "features-schema.json")
	out := brig(t, "features")
	if err := valid(s, out); err != nil {
		t.Error(err)
	}
	if err := valid(s, bytes.Replace(out, []byte(`"ociVersionMin"`), []byte(`"ociVersionLeast"`), 1)); err == nil {
		t.Error("the schema allows anything")
	}
	var f struct {
		OCIVersionMin, OCIVersionMax string
		MountOptions                 []string
		Hooks                        []string
		Linux                        struct {
			Namespaces      []string
			MountExtensions struct{ IDMap struct{ Enabled bool } }
		}
	}
	if err := json.Unmarshal(out, &f); err != nil {
		t.Fatal(err)
	}
	// CRI-O, containerd and Docker each look for one of these.
	if f.OCIVersionMin == "" || f.OCIVersionMax == "" || !strings.Contains(strings.Join(f.MountOptions, " ")+" ", " rro ") ||
		!f.Linux.MountExtensions.IDMap.Enabled || len(f.Hooks) != 6 || len(f.Linux.Namespaces) != 8 {
		t.Errorf("%+v", f)
	}
}

// So are the configs that brig writes.
func TestSpecSchema(t *testing.T) {
	s := schema(t, "config-schema.json")
	for _, flags := range [][]string{{}, {"--rootless"}} {
		dir := t.TempDir()
		brig(t, append([]string{"spec", "-b", dir}, flags...)...)
		text, err := os.ReadFile(dir + "/config.json")
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(s, text); err != nil {
			t.Errorf("spec %q: %v", flags, err)
		}
		if err := valid(s, bytes.Replace(text, []byte(`"ociVersion"`), []byte(`"version"`), 1)); err == nil {
			t.Error("the schema allows anything")
		}
	}
}
