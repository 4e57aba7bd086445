// Package cri drives containerd's CRI plugin as a kubelet does, with the runtime under
// test as its handler.
package cri

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	image   = "localhost/box:latest"
	handler = "tested"
)

// group is a set of scenarios: each gets a kubelet.
type group struct {
	name      string
	scenarios []scenario
}

type scenario struct {
	name string
	run  func(*kubelet)
}

// kubelet is one scenario's connection, and removes its pods.
type kubelet struct {
	*testing.T
	runtime runtime.RuntimeServiceClient
	ctx     context.Context
	pods    int
	logs    string
}

// TestScenarios runs all, on a test machine.
func TestScenarios(t *testing.T) {
	if os.Getenv("BRIG_VM") == "" {
		t.Skip("runs on the test machines, by TestClients")
	}
	shell(t, "setup")
	t.Cleanup(func() { shell(t, "teardown") })
	conn, err := grpc.NewClient("unix:///run/containerd/containerd.sock", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := runtime.NewRuntimeServiceClient(conn)
	ready(t, client)
	for _, g := range []group{pods, containers, security, mounts, resources, streams, rollout} {
		t.Run(g.name, func(t *testing.T) {
			for _, s := range g.scenarios {
				t.Run(s.name, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
					defer cancel()
					k := &kubelet{T: t, runtime: client, ctx: ctx, logs: t.TempDir()}
					defer shell(t, "leave")
					defer k.removePods()
					s.run(k)
				})
			}
		})
	}
}

// shell runs a function of client.sh.
func shell(t *testing.T, function string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -euo pipefail\n. ./scenario.sh\n. ./cri/client.sh\n"+function)
	cmd.Dir = ".."
	out := filepath.Join(t.TempDir(), "output")
	file, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out)
		t.Errorf("%s: %v\n%s", function, err, text)
	}
}

// ready waits for the plugin and its network.
func ready(t *testing.T, client runtime.RuntimeServiceClient) {
	t.Helper()
	var last string
	for range 300 {
		r, err := client.Status(context.Background(), &runtime.StatusRequest{})
		last = fmt.Sprint(r.GetStatus().GetConditions(), err)
		up := 0
		for _, c := range r.GetStatus().GetConditions() {
			if c.Status && (c.Type == runtime.RuntimeReady || c.Type == runtime.NetworkReady) {
				up++
			}
		}
		if up == 2 {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatalf("the CRI plugin is not ready: %s", last)
}

func (k *kubelet) check(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

// equal fails unless a value is what was wanted.
func (k *kubelet) equal(got, want any) {
	k.Helper()
	if got != want {
		k.Fatalf("it is %q and not %q", got, want)
	}
}

// refused fails unless an error has these words.
func (k *kubelet) refused(err error, words string) {
	k.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		k.Fatalf("the error is %v and says nothing of %q", err, words)
	}
}

// eventually waits for a condition, for longer than an emulated machine takes to look
// for containers every ten seconds and to restart containerd after that.
func (k *kubelet) eventually(what string, is func() bool) {
	k.Helper()
	for range 1200 {
		if is() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	k.Fatalf("it did not come true: %s", what)
}

// pod is a sandbox; with each of the changes its config is changed before.
type pod struct {
	*kubelet
	id     string
	config *runtime.PodSandboxConfig
}

func (k *kubelet) pod(changes ...func(*runtime.PodSandboxConfig)) *pod {
	k.Helper()
	p, err := k.tryPod(handler, changes...)
	k.check(err)
	return p
}

func (k *kubelet) tryPod(handler string, changes ...func(*runtime.PodSandboxConfig)) (*pod, error) {
	k.pods++
	name := fmt.Sprintf("pod%d", k.pods)
	c := &runtime.PodSandboxConfig{
		Metadata:     &runtime.PodSandboxMetadata{Name: name, Uid: strings.ReplaceAll(k.Name(), "/", "-") + name, Namespace: "default"},
		LogDirectory: k.logs,
		Linux:        &runtime.LinuxPodSandboxConfig{SecurityContext: &runtime.LinuxSandboxSecurityContext{NamespaceOptions: &runtime.NamespaceOption{Pid: runtime.NamespaceMode_CONTAINER}}},
	}
	for _, change := range changes {
		change(c)
	}
	r, err := k.runtime.RunPodSandbox(k.ctx, &runtime.RunPodSandboxRequest{Config: c, RuntimeHandler: handler})
	if err != nil {
		return nil, err
	}
	return &pod{kubelet: k, id: r.PodSandboxId, config: c}, nil
}

// removePods stops and removes all.
func (k *kubelet) removePods() {
	ctx := context.Background()
	list, err := k.runtime.ListPodSandbox(ctx, &runtime.ListPodSandboxRequest{})
	if err != nil {
		k.Error(err)
	}
	for _, p := range list.GetItems() {
		k.removePod(p.Id)
	}
}

func (k *kubelet) removePod(id string) {
	ctx := context.Background()
	if err := k.stopPod(ctx, id); err != nil {
		k.Error(err)
	}
	if _, err := k.runtime.RemovePodSandbox(ctx, &runtime.RemovePodSandboxRequest{PodSandboxId: id}); err != nil {
		k.Error(err)
	}
}

// stopPod asks once more where containerd 2 signals a container that ends just then, whose
// shim is gone (containerd's issue 12389): a kubelet asks until it is done.
func (k *kubelet) stopPod(ctx context.Context, id string) error {
	_, err := k.runtime.StopPodSandbox(ctx, &runtime.StopPodSandboxRequest{PodSandboxId: id})
	if err != nil && strings.Contains(err.Error(), "failed to kill container") && strings.HasSuffix(err.Error(), "ttrpc: closed") {
		_, err = k.runtime.StopPodSandbox(ctx, &runtime.StopPodSandboxRequest{PodSandboxId: id})
	}
	return err
}

// container is one in a pod.
type container struct {
	*pod
	id  string
	log string
}

// create makes one with a command and changes to its config.
func (p *pod) create(command []string, changes ...func(*runtime.ContainerConfig)) *container {
	p.Helper()
	c, err := p.tryCreate(command, changes...)
	p.check(err)
	return c
}

func (p *pod) tryCreate(command []string, changes ...func(*runtime.ContainerConfig)) (*container, error) {
	p.pods++
	name := fmt.Sprintf("c%d", p.pods)
	c := &runtime.ContainerConfig{
		Metadata: &runtime.ContainerMetadata{Name: name},
		Image:    &runtime.ImageSpec{Image: image},
		Command:  command,
		LogPath:  name + ".log",
		Linux: &runtime.LinuxContainerConfig{
			Resources:       &runtime.LinuxContainerResources{},
			SecurityContext: &runtime.LinuxContainerSecurityContext{NamespaceOptions: p.config.Linux.SecurityContext.NamespaceOptions},
		},
	}
	for _, change := range changes {
		change(c)
	}
	r, err := p.runtime.CreateContainer(p.ctx, &runtime.CreateContainerRequest{PodSandboxId: p.id, Config: c, SandboxConfig: p.config})
	if err != nil {
		return nil, err
	}
	return &container{pod: p, id: r.ContainerId, log: filepath.Join(p.logs, name+".log")}, nil
}

func (c *container) start() *container {
	c.Helper()
	_, err := c.runtime.StartContainer(c.ctx, &runtime.StartContainerRequest{ContainerId: c.id})
	c.check(err)
	return c
}

// sleeper is a container that runs.
func (p *pod) sleeper(changes ...func(*runtime.ContainerConfig)) *container {
	p.Helper()
	return p.create([]string{"sleep", "100000"}, changes...).start()
}

func (c *container) status() *runtime.ContainerStatus {
	c.Helper()
	r, err := c.runtime.ContainerStatus(c.ctx, &runtime.ContainerStatusRequest{ContainerId: c.id})
	c.check(err)
	return r.Status
}

// wait waits for its end.
func (c *container) wait() *runtime.ContainerStatus {
	c.Helper()
	c.eventually("the container ends", func() bool { return c.status().State == runtime.ContainerState_CONTAINER_EXITED })
	return c.status()
}

// exec runs a command and returns what it prints.
func (c *container) exec(command ...string) string {
	c.Helper()
	r, err := c.runtime.ExecSync(c.ctx, &runtime.ExecSyncRequest{ContainerId: c.id, Cmd: command, Timeout: 60})
	c.check(err)
	if r.ExitCode != 0 {
		c.Fatalf("%q ended with %d: %s%s", command, r.ExitCode, r.Stdout, r.Stderr)
	}
	return strings.TrimSpace(string(r.Stdout))
}

// fails runs a command that has to fail, and returns what it says.
func (c *container) fails(command ...string) string {
	c.Helper()
	r, err := c.runtime.ExecSync(c.ctx, &runtime.ExecSyncRequest{ContainerId: c.id, Cmd: command, Timeout: 60})
	c.check(err)
	if r.ExitCode == 0 {
		c.Fatalf("%q succeeded: %s", command, r.Stdout)
	}
	return string(r.Stderr)
}

// pid of its init.
func (c *container) pid() string {
	c.Helper()
	r, err := c.runtime.ContainerStatus(c.ctx, &runtime.ContainerStatusRequest{ContainerId: c.id, Verbose: true})
	c.check(err)
	_, rest, _ := strings.Cut(r.Info["info"], `"pid":`)
	return strings.TrimSpace(rest[:strings.IndexAny(rest, ",}")])
}
