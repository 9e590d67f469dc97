package kubelet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"agentweave-mesh/rehearsal/cloud/internal/process"
)

const eagerPeriod = time.Second / 4

// A kubelet does not check the certificates of what it probes either.
var probeClient = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
}

// probe watches a running container: first its startup probe, then readiness and liveness side by side.
func (c *container) probe(ctx context.Context, running *process.Process) {
	fail := func(kind string) {
		c.pod.event(v1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe of container %s failed; it will be restarted", kind, c.spec.Name))
		running.Stop(c.pod.grace())
	}
	if c.spec.StartupProbe != nil {
		alive := false
		c.each(ctx, c.spec.StartupProbe, true, func(ok bool) bool {
			alive = ok
			return true
		})
		if ctx.Err() != nil {
			return
		}
		if !alive {
			fail("startup")
			return
		}
	}
	c.started(true)
	if c.spec.LivenessProbe != nil {
		go c.each(ctx, c.spec.LivenessProbe, false, func(ok bool) bool {
			if !ok {
				fail("liveness")
			}
			return !ok
		})
	}
	if c.spec.ReadinessProbe == nil {
		c.ready(true)
		return
	}
	c.each(ctx, c.spec.ReadinessProbe, true, func(ok bool) bool {
		c.ready(ok)
		return false
	})
}

// each probes until the context ends or the verdict's receiver wants no more. A verdict is given when the probe's
// threshold of successes or failures in a row is reached, and again with each further result of that kind.
//
// An eager probe asks more often until its first success, so that a rehearsal does not wait for nothing; it gives up
// no sooner for that.
func (c *container) each(ctx context.Context, probe *v1.Probe, eager bool, verdict func(ok bool) (enough bool)) {
	period := time.Duration(max(1, probe.PeriodSeconds)) * time.Second
	threshold := max(1, probe.FailureThreshold)
	pause, failuresAllowed := period, threshold
	if eager {
		pause, failuresAllowed = eagerPeriod, threshold*int32(period/eagerPeriod)
	}
	successes, failures := int32(0), int32(0)
	for next := time.Duration(probe.InitialDelaySeconds) * time.Second; ; next = pause {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
		limited, cancel := context.WithTimeout(ctx, time.Duration(max(1, probe.TimeoutSeconds))*time.Second)
		err := c.try(limited, probe)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			successes, failures = successes+1, 0
			if successes >= max(1, probe.SuccessThreshold) {
				if verdict(true) {
					return
				}
				pause, failuresAllowed = period, threshold
			}
			continue
		}
		successes, failures = 0, failures+1
		if failures >= failuresAllowed && verdict(false) {
			return
		}
	}
}

func (c *container) try(ctx context.Context, probe *v1.Probe) error {
	switch {
	case probe.HTTPGet != nil:
		return c.httpGet(ctx, probe.HTTPGet)
	case probe.TCPSocket != nil:
		port, err := c.port(probe.TCPSocket.Port)
		if err != nil {
			return err
		}
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.address(probe.TCPSocket.Host, port))
		if err != nil {
			return err
		}
		return connection.Close()
	case probe.Exec != nil:
		return c.pod.kubelet.exec(ctx, c, probe.Exec.Command, nil, nil, nil)
	}
	return errors.New("a probe of this kind is not supported in the rehearsal")
}

func (c *container) httpGet(ctx context.Context, get *v1.HTTPGetAction) error {
	port, err := c.port(get.Port)
	if err != nil {
		return err
	}
	scheme := "http"
	if get.Scheme == v1.URISchemeHTTPS {
		scheme = "https"
	}
	url := scheme + "://" + c.address(get.Host, port) + "/" + strings.TrimPrefix(get.Path, "/")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	for _, header := range get.HTTPHeaders {
		request.Header.Add(header.Name, header.Value)
		if http.CanonicalHeaderKey(header.Name) == "Host" {
			request.Host = header.Value
		}
	}
	response, err := probeClient.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		return errors.New(response.Status)
	}
	return nil
}

func (c *container) address(host string, port int) string {
	if host == "" {
		host = c.pod.address
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func (c *container) port(port intstr.IntOrString) (int, error) {
	if port.Type == intstr.Int {
		return port.IntValue(), nil
	}
	for _, named := range c.spec.Ports {
		if named.Name == port.StrVal {
			return int(named.ContainerPort), nil
		}
	}
	return strconv.Atoi(port.StrVal)
}
