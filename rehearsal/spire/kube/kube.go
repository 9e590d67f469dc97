// Package kube makes requests to a Kubernetes API server with a service account's token: the little of a client that
// the stand-ins need.
package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// AccountDir is where Kubernetes mounts a pod's service account, relative to the root of its container. In the
// rehearsal a pod's directory plays that root and is the working directory.
const AccountDir = "var/run/secrets/kubernetes.io/serviceaccount"

// requestLimit is how long a request may take.
const requestLimit = 10 * time.Second

// Client is safe for concurrent use.
type Client struct {
	server, tokenFile string
	http              *http.Client
}

// InCluster returns the client of a pod, configured as Kubernetes' own clients are inside a cluster.
func InCluster() (*Client, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be set: is this a pod?")
	}
	return newClient("https://"+net.JoinHostPort(host, port), filepath.Join(AccountDir, "ca.crt"), filepath.Join(AccountDir, "token"))
}

// FromKubeconfig returns the client of a kubeconfig's current context. The file has to be JSON, as agentweave-mesh
// writes it, and to authenticate by certificate-authority and tokenFile; their paths are relative to the file.
func FromKubeconfig(path string) (*Client, error) {
	var config struct {
		Current  string `json:"current-context"`
		Contexts []struct {
			Name    string
			Context struct{ Cluster, User string }
		}
		Clusters []struct {
			Name    string
			Cluster struct {
				Server string
				CA     string `json:"certificate-authority"`
			}
		}
		Users []struct {
			Name string
			User struct{ TokenFile string }
		}
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	beside := func(file string) string {
		if filepath.IsAbs(file) {
			return file
		}
		return filepath.Join(filepath.Dir(path), file)
	}
	for _, context := range config.Contexts {
		for _, cluster := range config.Clusters {
			for _, user := range config.Users {
				if context.Name == config.Current && cluster.Name == context.Context.Cluster && user.Name == context.Context.User {
					return newClient(cluster.Cluster.Server, beside(cluster.Cluster.CA), beside(user.User.TokenFile))
				}
			}
		}
	}
	return nil, fmt.Errorf("kubeconfig %s: its current context %q has no cluster or no user", path, config.Current)
}

func newClient(server, caFile, tokenFile string) (*Client, error) {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s has no certificate", caFile)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &Client{strings.TrimSuffix(server, "/"), tokenFile, &http.Client{Transport: transport, Timeout: requestLimit}}, nil
}

// StatusError is a refusal of the API server.
type StatusError struct {
	Code    int
	Message string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the API server answered %d: %s", e.Code, e.Message)
}

// Get reads the object at a path of the API.
func (c *Client) Get(ctx context.Context, path string, object any) error {
	return c.do(ctx, http.MethodGet, path, nil, object)
}

// Apply makes an object what these fields say, by server-side apply; path ends with the field manager as query.
func (c *Client) Apply(ctx context.Context, path string, fields any) error {
	body, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPatch, path, body, nil)
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	// The kubelet renews the token in its file.
	token, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/apply-patch+yaml")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		var refusal struct{ Message string }
		_ = json.Unmarshal(data, &refusal) // without a message the code has to do
		return &StatusError{response.StatusCode, refusal.Message}
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(data, answer)
}
