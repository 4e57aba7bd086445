package cri

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

var streams = group{"streams", []scenario{
	{"exec with stdin", func(k *kubelet) {
		c := k.pod().sleeper()
		r, err := k.runtime.Exec(k.ctx, &runtime.ExecRequest{ContainerId: c.id, Cmd: []string{"cat"}, Stdin: true, Stdout: true, Stderr: true})
		k.check(err)
		out, err := k.stream(r.Url, "from-outside", false)
		k.check(err)
		k.equal(out, "from-outside")
	}},
	{"exec with a status", func(k *kubelet) {
		c := k.pod().sleeper()
		r, err := k.runtime.Exec(k.ctx, &runtime.ExecRequest{ContainerId: c.id, Cmd: []string{"sh", "-c", "exit 42"}, Stdout: true, Stderr: true})
		k.check(err)
		_, err = k.stream(r.Url, "", false)
		k.refused(err, "42")
	}},
	{"exec with a terminal", func(k *kubelet) {
		c := k.pod().sleeper()
		r, err := k.runtime.Exec(k.ctx, &runtime.ExecRequest{ContainerId: c.id, Cmd: []string{"tty"}, Tty: true, Stdin: true, Stdout: true})
		k.check(err)
		out, err := k.stream(r.Url, "", true)
		k.check(err)
		k.equal(strings.TrimSpace(out), "/dev/pts/0")
	}},
	{"exec with a terminal that changes its size", func(k *kubelet) {
		c := k.pod().sleeper()
		r, err := k.runtime.Exec(k.ctx, &runtime.ExecRequest{
			ContainerId: c.id, Cmd: []string{"sh", "-c", `until [ "$(stty size)" = "40 120" ]; do sleep 0.2; done; echo seen`}, Tty: true, Stdin: true, Stdout: true,
		})
		k.check(err)
		out, err := k.stream(r.Url, "", true)
		k.check(err)
		// Of a terminal without a size stty complains.
		if !strings.HasSuffix(strings.TrimSpace(out), "seen") {
			k.Fatalf("it said %q", out)
		}
	}},
	{"attach", func(k *kubelet) {
		c := k.pod().create([]string{"sh", "-c", "read line; echo got $line"}, func(c *runtime.ContainerConfig) { c.Stdin, c.StdinOnce = true, true }).start()
		r, err := k.runtime.Attach(k.ctx, &runtime.AttachRequest{ContainerId: c.id, Stdin: true, Stdout: true, Stderr: true})
		k.check(err)
		out, err := k.stream(r.Url, "a-line\n", false)
		k.check(err)
		k.equal(out, "got a-line\n")
	}},
	{"attach to a terminal", func(k *kubelet) {
		c := k.pod().create([]string{"sh", "-c", "read line; echo got $line $(tty)"}, func(c *runtime.ContainerConfig) { c.Stdin, c.StdinOnce, c.Tty = true, true, true }).start()
		r, err := k.runtime.Attach(k.ctx, &runtime.AttachRequest{ContainerId: c.id, Stdin: true, Stdout: true, Tty: true})
		k.check(err)
		out, err := k.stream(r.Url, "a-line\n", true)
		k.check(err)
		if !strings.Contains(out, "got a-line /dev/pts/0") {
			k.Fatalf("it said %q", out)
		}
	}},
	{"a port is forwarded", func(k *kubelet) {
		p := k.pod()
		p.create([]string{"sh", "-c", "mkdir /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www"}).start()
		r, err := k.runtime.PortForward(k.ctx, &runtime.PortForwardRequest{PodSandboxId: p.id, Port: []int32{80}})
		k.check(err)
		k.eventually("it is served", func() bool { return k.forwarded(r.Url) == "served\n" })
	}},
}}

// stream runs what an address of the streaming server stands for.
func (k *kubelet) stream(address, stdin string, terminal bool) (string, error) {
	k.Helper()
	u, err := url.Parse(address)
	k.check(err)
	executor, err := remotecommand.NewSPDYExecutor(&rest.Config{}, http.MethodPost, u)
	k.check(err)
	var out bytes.Buffer
	options := remotecommand.StreamOptions{Stdout: &out, Tty: terminal}
	switch {
	case terminal:
		// The end of its input is the end of a terminal.
		options.Stdin = io.MultiReader(strings.NewReader(stdin), blocked{k.ctx.Done()})
		options.TerminalSizeQueue = &resizes{left: 1, done: k.ctx.Done()}
	case stdin != "":
		options.Stdin = strings.NewReader(stdin)
	}
	if !terminal {
		options.Stderr = &bytes.Buffer{}
	}
	err = executor.StreamWithContext(k.ctx, options)
	return out.String(), err
}

// blocked is an input of which nothing comes.
type blocked struct{ done <-chan struct{} }

func (b blocked) Read([]byte) (int, error) {
	<-b.done
	return 0, io.EOF
}

// resizes gives a terminal another size, so often.
type resizes struct {
	left int
	done <-chan struct{}
}

func (r *resizes) Next() *remotecommand.TerminalSize {
	if r.left == 0 {
		<-r.done
		return nil
	}
	r.left--
	return &remotecommand.TerminalSize{Height: 40, Width: 120}
}

// forwarded asks for a page at port 80 by way of the streaming server.
func (k *kubelet) forwarded(address string) string {
	k.Helper()
	u, err := url.Parse(address)
	k.check(err)
	transport, upgrader, err := spdy.RoundTripperFor(&rest.Config{})
	k.check(err)
	stop, readyNow := make(chan struct{}), make(chan struct{})
	defer close(stop)
	port := freePort(k)
	f, err := portforward.New(spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, u),
		[]string{fmt.Sprintf("%d:80", port)}, stop, readyNow, io.Discard, io.Discard)
	k.check(err)
	failed := make(chan error, 1)
	go func() { failed <- f.ForwardPorts() }()
	select {
	case <-readyNow:
	case err := <-failed:
		k.Log(err)
		return ""
	}
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil {
		k.Log(err)
		return ""
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	return string(text)
}

func freePort(k *kubelet) int {
	k.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	k.check(err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
