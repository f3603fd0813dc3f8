package pushtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// server is HTTP/2 over TLS with a certificate authority of its own.
type server struct {
	url    string
	ca     *x509.Certificate
	caKey  *ecdsa.PrivateKey
	caPEM  []byte
	http   *http.Server
	stop   chan struct{} // closed by Close: lets hanging answers go
	once   sync.Once
	served chan error
}

type connKey struct{}

// listening says how a stand-in is reached.
type listening struct {
	listen  string             // 127.0.0.1:0
	streams int                // requests at once on one connection; 1000
	host    string             // another name for the certificate than 127.0.0.1
	http1   bool               // HTTP/1.1 alone
	ask     tls.ClientAuthType // for a certificate of the client
}

func serve(l listening, h http.Handler) (*server, error) {
	s := &server{stop: make(chan struct{}), served: make(chan error, 1)}
	var err error
	if s.ca, s.caKey, err = authority(); err != nil {
		return nil, err
	}
	s.caPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.ca.Raw})
	if l.listen == "" {
		l.listen = "127.0.0.1:0"
	}
	if l.streams <= 0 {
		l.streams = 1000
	}
	if l.host == "" {
		l.host = "127.0.0.1"
	}
	leaf, err := s.issue(l.host, x509.ExtKeyUsageServerAuth)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", l.listen)
	if err != nil {
		return nil, fmt.Errorf("pushtest: %w", err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(s.ca)
	protocols := new(http.Protocols)
	protocols.SetHTTP2(!l.http1)
	protocols.SetHTTP1(true) // only so that a client of HTTP/1 is told what is wrong
	s.http = &http.Server{
		Handler:     h,
		Protocols:   protocols,
		ReadTimeout: 30 * time.Second,
		TLSConfig: &tls.Config{
			MinVersion:   tls.VersionTLS12,
			Certificates: []tls.Certificate{leaf},
			ClientAuth:   l.ask,
			ClientCAs:    clients,
		},
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: l.streams},
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ErrorLog:    log.New(io.Discard, "", 0), // resets on purpose are no news
	}
	s.url = "https://" + ln.Addr().String()
	go func() { s.served <- s.http.ServeTLS(ln, "", "") }()
	return s, nil
}

// URL is the base of the stand-in, to be used as endpoint.
func (s *server) URL() string { return s.url }

// CAPEM is the certificate that clients must trust.
func (s *server) CAPEM() []byte { return s.caPEM }

// Close cuts all connections and waits for the listener.
func (s *server) Close() error {
	var err error
	s.once.Do(func() {
		close(s.stop)
		err = s.http.Close()
		<-s.served
	})
	return err
}

// issue makes a certificate of this authority.
func (s *server) issue(name string, use x509.ExtKeyUsage, change ...func(*x509.Certificate)) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := template(name)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{use}
	if ip := net.ParseIP(name); ip != nil {
		t.IPAddresses, t.DNSNames = []net.IP{ip}, []string{"localhost"}
	} else if use == x509.ExtKeyUsageServerAuth {
		t.DNSNames = []string{name}
	}
	for _, c := range change {
		c(t)
	}
	der, err := x509.CreateCertificate(rand.Reader, t, s.ca, &key.PublicKey, s.caKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func authority() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := template("pushtest authority")
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	ca, err := x509.ParseCertificate(der)
	return ca, key, err
}

func template(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
}

// play carries out what a reply says besides its content. It reports false when
// there is to be no answer.
func (s *server) play(w http.ResponseWriter, r *http.Request, reply *Reply) bool {
	if reply.Delay > 0 {
		timer := time.NewTimer(reply.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return false
		case <-s.stop:
			return false
		}
	}
	switch {
	case reply.Garbage != nil:
		c, ok := r.Context().Value(connKey{}).(*tls.Conn)
		if !ok {
			return false
		}
		c.Write(reply.Garbage)
		if reply.Hang {
			select {
			case <-r.Context().Done():
			case <-s.stop:
			}
		}
		c.Close()
		return false
	case reply.Hang:
		select {
		case <-r.Context().Done():
		case <-s.stop:
		}
		return false
	case reply.Reset:
		if c, ok := r.Context().Value(connKey{}).(*tls.Conn); ok {
			if tcp, ok := c.NetConn().(*net.TCPConn); ok {
				tcp.SetLinger(0) // a reset, not a farewell
			}
			c.NetConn().Close()
		}
		return false
	}
	if reply.GoAway {
		w.Header().Set("Connection", "close")
	}
	if reply.Location != "" {
		w.Header().Set("Location", reply.Location)
	}
	if reply.RetryAfter != "" {
		w.Header().Set("Retry-After", reply.RetryAfter)
	}
	return true
}

// write sends an answer with a body of known length.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	if len(body) > 0 {
		w.Header().Set("Content-Type", contentType)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}
