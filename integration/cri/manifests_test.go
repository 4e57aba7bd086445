package cri

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

// schemaOf is the release of Kubernetes whose published schema the manifests are
// checked against.
const schemaOf = "k8s.io/kubernetes@v1.34.0"

// manifests are the objects of all files below docs/kubernetes, as JSON.
func manifests(t *testing.T) map[string][][]byte {
	t.Helper()
	files, err := filepath.Glob("../../docs/kubernetes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	list := map[string][][]byte{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		reader := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
		for {
			document := make([]byte, len(text))
			n, err := reader.Read(document)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			object, err := yaml.ToJSON(document[:n])
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			list[filepath.Base(name)] = append(list[filepath.Base(name)], object)
		}
	}
	return list
}

// strictly decodes an object by the types of the API: no field is unknown or twice.
func strictly(object []byte) (apiruntime.Object, error) {
	codecs := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)
	decoded, _, err := codecs.UniversalDeserializer().Decode(object, nil, nil)
	return decoded, err
}

// schema compiles the published schema for a kind.
func schema(t *testing.T, kind string) *jsonschema.Schema {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", schemaOf).Output()
	if err != nil {
		t.Fatalf("go mod download %s: %v %s", schemaOf, err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(module.Dir + "/api/openapi-spec/swagger.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	// The whole document is no schema, but its definitions are.
	definitions := map[string]any{"definitions": document.(map[string]any)["definitions"]}
	if err := c.AddResource("swagger.json", definitions); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("swagger.json#/definitions/" + kind)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var kinds = map[string]string{
	"v1 Namespace":                "io.k8s.api.core.v1.Namespace",
	"v1 Pod":                      "io.k8s.api.core.v1.Pod",
	"apps/v1 DaemonSet":           "io.k8s.api.apps.v1.DaemonSet",
	"node.k8s.io/v1 RuntimeClass": "io.k8s.api.node.v1.RuntimeClass",
}

// TestManifests checks all manifests by the API's types and by its schema.
func TestManifests(t *testing.T) {
	for name, objects := range manifests(t) {
		for _, object := range objects {
			var head struct{ APIVersion, Kind string }
			if err := json.Unmarshal(object, &head); err != nil {
				t.Fatal(err)
			}
			t.Run(name+"/"+head.Kind, func(t *testing.T) {
				if _, err := strictly(object); err != nil {
					t.Error(err)
				}
				value, err := jsonschema.UnmarshalJSON(bytes.NewReader(object))
				if err != nil {
					t.Fatal(err)
				}
				if err := schema(t, kinds[head.APIVersion+" "+head.Kind]).Validate(value); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestManifestsFaults: both checks see what is wrong.
func TestManifestsFaults(t *testing.T) {
	if _, err := strictly([]byte(`{"apiVersion": "v1", "kind": "Pod", "spec": {"containerz": []}}`)); err == nil {
		t.Error("an unknown field is accepted")
	}
	for _, object := range []string{
		`{"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass"}`,
		`{"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": 3}`,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(object))
		if err != nil {
			t.Fatal(err)
		}
		if schema(t, "io.k8s.api.node.v1.RuntimeClass").Validate(value) == nil {
			t.Errorf("the schema accepts %s", object)
		}
	}
}

// TestManifestsAgree: the pods of the class go where the DaemonSet is and nowhere else, and
// the page says how a node gets the label.
func TestManifestsAgree(t *testing.T) {
	class := manifest[*nodev1.RuntimeClass](t, "runtimeclass.yaml")
	page, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	if want, got := daemonSet(t).Spec.Template.Spec.NodeSelector, class.Scheduling.NodeSelector; !maps.Equal(got, want) {
		t.Errorf("the DaemonSet is for nodes with %v, and the class for those with %v", want, got)
	}
	for label, value := range class.Scheduling.NodeSelector {
		if strings.HasPrefix(label, "kubernetes.io/") {
			continue // the kubelet's own
		}
		if want := "kubectl label node NODE " + label + "=" + value + "\n"; !strings.Contains(string(page), want) {
			t.Errorf("the page does not say %s", want)
		}
	}
	if len(class.Scheduling.NodeSelector) == 0 {
		t.Error("the class is for all nodes")
	}
	script, err := os.ReadFile("../../docs/kubernetes/install.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range daemonSet(t).Spec.Template.Spec.Volumes {
		if want := "program=" + v.HostPath.Path + "/brig "; v.Name == "bin" && !strings.Contains(string(script), want) {
			t.Errorf("the script does not say %s", want)
		}
	}
	if want := ".containerd.runtimes." + class.Handler + "]\n"; !strings.Contains(string(script), want) {
		t.Errorf("the DaemonSet installs no handler %q", class.Handler)
	}
}

// TestManifestsPrivileges: what goes on after brig is installed has none.
func TestManifestsPrivileges(t *testing.T) {
	spec := daemonSet(t).Spec.Template.Spec
	for _, c := range spec.Containers {
		s := c.SecurityContext
		if s == nil || s.Privileged != nil || *s.AllowPrivilegeEscalation || !*s.RunAsNonRoot || len(s.Capabilities.Add) > 0 || len(c.VolumeMounts) > 0 {
			t.Errorf("%s: %+v %v", c.Name, s, c.VolumeMounts)
		}
	}
}

// daemonSet is that of the documentation.
func daemonSet(t *testing.T) *appsv1.DaemonSet {
	return manifest[*appsv1.DaemonSet](t, "daemonset.yaml")
}

// podOnBrig is the documentation's pod that runs on brig.
func podOnBrig(t *testing.T) *corev1.Pod { return manifest[*corev1.Pod](t, "pod.yaml") }

// manifest is the object of a kind in a file.
func manifest[T any](t *testing.T, file string) (found T) {
	t.Helper()
	for _, object := range manifests(t)[file] {
		decoded, err := strictly(object)
		if o, ok := decoded.(T); ok && err == nil {
			return o
		}
	}
	t.Fatalf("%s has no %T", file, found)
	return found
}
