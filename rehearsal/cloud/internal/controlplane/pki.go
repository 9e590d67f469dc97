package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"agentweave-mesh/rehearsal/cloud/internal/config"
)

const validity = 10 * 365 * 24 * time.Hour

// KubeletClientName is the common name of the certificate with which the API server calls the kubelet.
const KubeletClientName = "kube-apiserver-kubelet-client"

// PKI is the directory of the cloud's keys and certificates. They are made once and kept, so that a cloud that starts
// again is the same cloud to whoever holds its kubeconfig or one of its tokens.
type PKI struct{ dir string }

// Cert and Key return the paths of a certificate and its key.
func (p PKI) Cert(name string) string { return filepath.Join(p.dir, name+".crt") }
func (p PKI) Key(name string) string  { return filepath.Join(p.dir, name+".key") }

type leaf struct {
	name, commonName, organization string
	hosts                          []string
}

func preparePKI(c *config.Config) (PKI, error) {
	p := PKI{filepath.Join(c.Dir, "pki")}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return p, err
	}
	ca, err := p.authority(c.Name)
	if err != nil {
		return p, err
	}
	firstService := netip.MustParsePrefix(c.ServiceCIDR).Addr().Next().String()
	leaves := []leaf{
		{"etcd", "etcd", "", []string{c.Address}},
		{"kube-apiserver", "kube-apiserver", "", []string{c.Address, firstService, "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}},
		{"kubelet", "kubelet", "", []string{c.Address}},
		{"kubelet-client", KubeletClientName, "", nil},
		{"admin", "admin", "system:masters", nil},
		{"supervisor", "rehearsal-supervisor", "system:masters", nil},
		{"kwok", "kwok", "system:masters", nil},
		{"kube-controller-manager", "system:kube-controller-manager", "", nil},
		{"kube-scheduler", "system:kube-scheduler", "", nil},
	}
	for _, l := range leaves {
		if err := p.issue(ca, l); err != nil {
			return p, err
		}
	}
	_, err = p.key("service-account")
	return p, err
}

// key reads a private key, or makes it.
func (p PKI) key(name string) (crypto.Signer, error) {
	if key, err := keyutil.PrivateKeyFromFile(p.Key(name)); err == nil {
		return key.(crypto.Signer), nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	text, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, err
	}
	return key, keyutil.WriteKey(p.Key(name), text)
}

func (p PKI) authority(cloud string) (*x509.Certificate, error) {
	if found, err := cert.CertsFromFile(p.Cert("ca")); err == nil {
		return found[0], nil
	}
	key, err := p.key("ca")
	if err != nil {
		return nil, err
	}
	ca, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "rehearsal-" + cloud}, key)
	if err != nil {
		return nil, err
	}
	text, err := cert.EncodeCertificates(ca)
	if err != nil {
		return nil, err
	}
	return ca, cert.WriteCert(p.Cert("ca"), text)
}

func (p PKI) issue(ca *x509.Certificate, l leaf) error {
	if _, err := os.Stat(p.Cert(l.name)); err == nil {
		return nil
	}
	signer, err := p.key("ca")
	if err != nil {
		return err
	}
	key, err := p.key(l.name)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	template := x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: l.commonName},
		NotBefore:    ca.NotBefore,
		NotAfter:     time.Now().Add(validity),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if l.organization != "" {
		template.Subject.Organization = []string{l.organization}
	}
	if len(l.hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range l.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, ca, key.Public(), signer)
	if err != nil {
		return err
	}
	issued, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	text, err := cert.EncodeCertificates(issued)
	if err != nil {
		return err
	}
	return cert.WriteCert(p.Cert(l.name), text)
}
