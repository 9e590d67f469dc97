package kubelet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	remotecommandconsts "k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/cert"
	"k8s.io/kubelet/pkg/cri/streaming/portforward"
	streaming "k8s.io/kubelet/pkg/cri/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"

	"agentweave-mesh/rehearsal/cloud/internal/config"
	"agentweave-mesh/rehearsal/cloud/internal/process"
)

const (
	streamCreation = 30 * time.Second
	streamIdle     = 4 * time.Hour
	// ioDelay is how long output of a command is waited for after its end.
	ioDelay = 2 * time.Second
)

// Credentials of the kubelet's server.
type Credentials struct {
	// CA, Cert and Key are PEM files.
	CA, Cert, Key string
	// ClientName is the common name of the only client certificate that is let in, the API server's.
	ClientName string
}

// Serve answers the API server on the cloud's address until the context ends. It returns when it listens.
func (k *Kubelet) Serve(ctx context.Context, credentials Credentials) error {
	pair, err := tls.LoadX509KeyPair(credentials.Cert, credentials.Key)
	if err != nil {
		return err
	}
	authorities, err := cert.NewPool(credentials.CA)
	if err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", net.JoinHostPort(k.config.Address, strconv.Itoa(config.KubeletPort)), &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authorities,
		VerifyPeerCertificate: func(_ [][]byte, chains [][]*x509.Certificate) error {
			if name := chains[0][0].Subject.CommonName; name != credentials.ClientName {
				return fmt.Errorf("%s may not call the kubelet", name)
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", k.serveExec)
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.serveLogs)
	mux.HandleFunc("/portForward/{namespace}/{pod}", k.servePortForward)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: streamCreation}
	go func() { _ = server.Serve(listener) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return nil
}

// containerOf finds the container of a request (the pod's first where none is named), or answers that there is none.
func (k *Kubelet) containerOf(w http.ResponseWriter, r *http.Request) *container {
	p, err := k.find(r.PathValue("namespace"), r.PathValue("pod"))
	var c *container
	if err == nil {
		c, err = p.container(r.PathValue("container"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
	}
	return c
}

func (k *Kubelet) serveExec(w http.ResponseWriter, r *http.Request) {
	c := k.containerOf(w, r)
	if c == nil {
		return
	}
	c.pod.mu.Lock()
	running := c.status.State.Running != nil
	c.pod.mu.Unlock()
	if !running {
		http.Error(w, fmt.Sprintf("container not found (%q)", c.spec.Name), http.StatusInternalServerError)
		return
	}
	options, err := streaming.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	streaming.ServeExec(w, r, executor{c}, c.pod.name, c.pod.uid, c.spec.Name, r.URL.Query()[v1.ExecCommandParam], options,
		streamIdle, streamCreation, remotecommandconsts.SupportedStreamingProtocols)
}

type executor struct{ container *container }

func (e executor) ExecInContainer(ctx context.Context, _ string, _ types.UID, _ string, command []string, in io.Reader, out, err io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	return e.container.pod.kubelet.exec(ctx, e.container, command, in, out, err)
}

// exec runs a command in a container until it ends, the context does, or the container's process is gone.
func (k *Kubelet) exec(ctx context.Context, c *container, argv []string, in io.Reader, out, errors io.Writer) error {
	cmd, err := c.command(ctx, argv)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, errors, ioDelay
	if err := pipeInput(cmd, in); err != nil {
		return err
	}
	running, err := process.Start(cmd, "")
	if err != nil {
		return err
	}
	select {
	case <-running.Done():
	case <-ctx.Done():
		running.Stop(0)
		return ctx.Err()
	case <-c.pod.ending:
		running.Stop(0)
	}
	if code := running.ExitCode(); code != 0 {
		return utilexec.CodeExitError{Err: fmt.Errorf("exit status %d", code), Code: code}
	}
	return nil
}

// pipeInput copies the input by itself: the command's end must not wait for the end of its input.
func pipeInput(cmd *exec.Cmd, in io.Reader) error {
	if in == nil {
		return nil
	}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(pipe, in)
		pipe.Close()
	}()
	return nil
}

func (k *Kubelet) serveLogs(w http.ResponseWriter, r *http.Request) {
	c := k.containerOf(w, r)
	if c == nil {
		return
	}
	log, err := os.Open(c.logFile())
	if err != nil {
		return // nothing was logged yet
	}
	defer log.Close()
	if lines, err := strconv.Atoi(r.FormValue("tailLines")); err == nil {
		seekLines(log, lines)
	}
	follow := r.FormValue("follow") == "true"
	for {
		if _, err := io.Copy(w, log); err != nil || !follow {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-c.pod.done:
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// seekLines moves to the start of the last lines of a file.
func seekLines(file *os.File, lines int) {
	position, _ := file.Seek(0, io.SeekEnd)
	size := position
	for one := make([]byte, 1); position > 0; position-- {
		if _, err := file.ReadAt(one, position-1); err != nil {
			break
		}
		if one[0] == '\n' && position < size {
			lines--
		}
		if lines <= 0 {
			break
		}
	}
	_, _ = file.Seek(position, io.SeekStart)
}

func (k *Kubelet) servePortForward(w http.ResponseWriter, r *http.Request) {
	c := k.containerOf(w, r)
	if c == nil {
		return
	}
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, forwarder{c.pod}, c.pod.name, c.pod.uid, options, streamIdle, streamCreation, portforward.SupportedProtocols)
}

type forwarder struct{ pod *pod }

func (f forwarder) PortForward(ctx context.Context, _ string, _ types.UID, port int32, stream io.ReadWriteCloser) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(f.pod.address, strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	defer connection.Close()
	go func() {
		_, _ = io.Copy(connection, stream)
		_ = connection.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, connection)
	return err
}
