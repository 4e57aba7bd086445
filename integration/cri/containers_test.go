package cri

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

var containers = group{"containers", []scenario{
	{"created, started, stopped, removed", func(k *kubelet) {
		c := k.pod().create([]string{"sleep", "100000"})
		k.equal(c.status().State, runtime.ContainerState_CONTAINER_CREATED)
		c.start()
		k.equal(c.status().State, runtime.ContainerState_CONTAINER_RUNNING)
		_, err := k.runtime.StopContainer(k.ctx, &runtime.StopContainerRequest{ContainerId: c.id, Timeout: 1})
		k.check(err)
		k.equal(c.status().State, runtime.ContainerState_CONTAINER_EXITED)
		k.equal(c.status().ExitCode, int32(137))
		_, err = k.runtime.RemoveContainer(k.ctx, &runtime.RemoveContainerRequest{ContainerId: c.id})
		k.check(err)
	}},
	{"an exit status", func(k *kubelet) {
		s := k.pod().create([]string{"sh", "-c", "exit 42"}).start().wait()
		k.equal(s.ExitCode, int32(42))
		k.equal(s.Reason, "Error")
	}},
	{"stopped by its signal", func(k *kubelet) {
		c := k.pod().create([]string{"sh", "-c", "trap 'exit 7' TERM; touch /tmp/ready; while :; do sleep 0.1; done"}).start()
		k.eventually("it is ready", func() bool {
			r, err := k.runtime.ExecSync(k.ctx, &runtime.ExecSyncRequest{ContainerId: c.id, Cmd: []string{"test", "-e", "/tmp/ready"}})
			return err == nil && r.ExitCode == 0
		})
		_, err := k.runtime.StopContainer(k.ctx, &runtime.StopContainerRequest{ContainerId: c.id, Timeout: 60})
		k.check(err)
		k.equal(c.status().ExitCode, int32(7))
	}},
	{"its log as another user", func(k *kubelet) {
		c := k.pod().create([]string{"sh", "-c", "echo out >/dev/stdout; echo err >/dev/stderr"},
			with(func(s *runtime.LinuxContainerSecurityContext) { s.RunAsUser = &runtime.Int64Value{Value: 1000} })).start()
		k.equal(c.wait().ExitCode, int32(0))
		k.eventually("both lines are logged", func() bool {
			text, _ := os.ReadFile(c.log)
			return strings.Contains(string(text), "stdout F out") && strings.Contains(string(text), "stderr F err")
		})
	}},
	{"its log", func(k *kubelet) {
		c := k.pod().create([]string{"sh", "-c", "echo out; echo err >&2"}).start()
		c.wait()
		k.eventually("both lines are logged", func() bool {
			text, _ := os.ReadFile(c.log)
			return strings.Contains(string(text), " stdout F out\n") && strings.Contains(string(text), " stderr F err\n")
		})
	}},
	{"environment, directory, user", func(k *kubelet) {
		c := k.pod().sleeper(func(c *runtime.ContainerConfig) {
			c.Envs = []*runtime.KeyValue{{Key: "NAME", Value: []byte("value")}}
			c.WorkingDir = "/new/dir"
			c.Linux.SecurityContext.RunAsUser = &runtime.Int64Value{Value: 1000}
			c.Linux.SecurityContext.RunAsGroup = &runtime.Int64Value{Value: 2000}
			c.Linux.SecurityContext.SupplementalGroups = []int64{3000}
		})
		k.equal(c.exec("sh", "-c", "echo $NAME; pwd; id -u; id -g"), "value\n/new/dir\n1000\n2000")
		if !strings.Contains(" "+c.exec("id", "-G")+" ", " 3000 ") {
			k.Fatal(c.exec("id"))
		}
	}},
	{"a user by name", func(k *kubelet) {
		c := k.pod().sleeper(func(c *runtime.ContainerConfig) { c.Linux.SecurityContext.RunAsUsername = "user" })
		k.equal(c.exec("id", "-u"), "1000")
	}},
	{"a program that is not there", func(k *kubelet) {
		p := k.pod()
		c := p.create([]string{"no-such"})
		_, err := k.runtime.StartContainer(k.ctx, &runtime.StartContainerRequest{ContainerId: c.id})
		k.refused(err, "executable file not found in $PATH")
		k.equal(c.status().ExitCode, int32(128))
		k.equal(c.status().Reason, "StartError")
	}},
	{"a program that cannot be executed", func(k *kubelet) {
		c := k.pod().create([]string{"/etc/passwd"})
		_, err := k.runtime.StartContainer(k.ctx, &runtime.StartContainerRequest{ContainerId: c.id})
		k.refused(err, "permission denied")
	}},
	{"exec: output and status", func(k *kubelet) {
		c := k.pod().sleeper()
		r, err := k.runtime.ExecSync(k.ctx, &runtime.ExecSyncRequest{ContainerId: c.id, Cmd: []string{"sh", "-c", "echo out; echo err >&2; exit 42"}})
		k.check(err)
		k.equal(string(r.Stdout)+string(r.Stderr)+strconv.Itoa(int(r.ExitCode)), "out\nerr\n42")
	}},
	{"exec: a time limit", func(k *kubelet) {
		c := k.pod().sleeper()
		_, err := k.runtime.ExecSync(k.ctx, &runtime.ExecSyncRequest{ContainerId: c.id, Cmd: []string{"sleep", "777"}, Timeout: 1})
		k.refused(err, "exceeded")
		k.eventually("it is gone", func() bool { return !strings.Contains(c.exec("ps"), "sleep 777") })
	}},
	{"exec: a program that is not there", func(k *kubelet) {
		c := k.pod().sleeper()
		_, err := k.runtime.ExecSync(k.ctx, &runtime.ExecSyncRequest{ContainerId: c.id, Cmd: []string{"no-such"}})
		k.refused(err, "executable file not found in $PATH")
	}},
	{"exec: thirty probes", func(k *kubelet) {
		c := k.pod().sleeper()
		for i := range 30 {
			k.equal(c.exec("echo", strconv.Itoa(i)), strconv.Itoa(i))
		}
	}},
	{"exec: eight at once", func(k *kubelet) {
		c := k.pod().sleeper()
		errs := make(chan error, 8)
		for range 8 {
			go func() {
				r, err := k.runtime.ExecSync(k.ctx, &runtime.ExecSyncRequest{ContainerId: c.id, Cmd: []string{"sh", "-c", "echo up; exit 3"}, Timeout: 60})
				if err == nil && (string(r.Stdout) != "up\n" || r.ExitCode != 3) {
					err = fmt.Errorf("it ended with %d: %s%s", r.ExitCode, r.Stdout, r.Stderr)
				}
				errs <- err
			}()
		}
		for range 8 {
			k.check(<-errs)
		}
	}},
	{"exec: the same confinement", func(k *kubelet) {
		c := k.pod().sleeper(func(c *runtime.ContainerConfig) {
			c.Linux.SecurityContext.NoNewPrivs = true
			c.Linux.SecurityContext.Seccomp = &runtime.SecurityProfile{ProfileType: runtime.SecurityProfile_RuntimeDefault}
		})
		const fields = `^(Cap|NoNewPrivs|Seccomp:|Uid|Gid)`
		k.equal(c.exec("grep", "-E", fields, "/proc/self/status"), c.exec("grep", "-E", fields, "/proc/1/status"))
	}},
	// By containerd, which has none before 2, or calls criu itself.
	{"a checkpoint is refused, and the container runs on", func(k *kubelet) {
		c := k.pod().sleeper()
		_, err := k.runtime.CheckpointContainer(k.ctx, &runtime.CheckpointContainerRequest{ContainerId: c.id, Location: k.TempDir() + "/c.tar", Timeout: 5})
		if err == nil || !regexp.MustCompile("(?i)not implemented|unimplemented|criu|makes no checkpoints").MatchString(err.Error()) {
			k.Fatal(err)
		}
		k.equal(c.exec("echo", "up"), "up")
	}},
	{"ten pods at once", func(k *kubelet) {
		done := make(chan error, 10)
		for i := range 10 {
			go func() { done <- k.runPod(i) }()
		}
		for range 10 {
			k.check(<-done)
		}
	}},
	{"containerd is restarted", func(k *kubelet) {
		c := k.pod().sleeper()
		shell(k.T, "systemctl restart containerd; until_true ctr version")
		ready(k.T, k.runtime)
		k.equal(c.status().State, runtime.ContainerState_CONTAINER_RUNNING)
		k.equal(c.exec("echo", "up"), "up")
	}},
}}

// runPod runs a pod with one container, without the bookkeeping of kubelet.
func (k *kubelet) runPod(i int) error {
	config := &runtime.PodSandboxConfig{
		Metadata:     &runtime.PodSandboxMetadata{Name: "p" + strconv.Itoa(i), Uid: "p" + strconv.Itoa(i), Namespace: "default"},
		Hostname:     "p" + strconv.Itoa(i),
		LogDirectory: k.logs,
		Linux:        &runtime.LinuxPodSandboxConfig{},
	}
	p, err := k.runtime.RunPodSandbox(k.ctx, &runtime.RunPodSandboxRequest{Config: config, RuntimeHandler: handler})
	if err != nil {
		return err
	}
	c, err := k.runtime.CreateContainer(k.ctx, &runtime.CreateContainerRequest{PodSandboxId: p.PodSandboxId, SandboxConfig: config, Config: &runtime.ContainerConfig{
		Metadata: &runtime.ContainerMetadata{Name: "c"}, Image: &runtime.ImageSpec{Image: image}, Command: []string{"sleep", "1000"},
	}})
	if err != nil {
		return err
	}
	if _, err = k.runtime.StartContainer(k.ctx, &runtime.StartContainerRequest{ContainerId: c.ContainerId}); err != nil {
		return err
	}
	r, err := k.runtime.ExecSync(k.ctx, &runtime.ExecSyncRequest{ContainerId: c.ContainerId, Cmd: []string{"hostname"}, Timeout: 60})
	if err == nil && string(r.Stdout) != config.Hostname+"\n" {
		err = fmt.Errorf("the container of %s says %s%s", config.Hostname, r.Stdout, r.Stderr)
	}
	return err
}
