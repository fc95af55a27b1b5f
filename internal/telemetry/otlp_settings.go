package telemetry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// otlpSettings are what the variables OTEL_EXPORTER_OTLP_* say. One with TRACES_ in its name goes before the one without.
type otlpSettings struct {
	url     *url.URL
	headers map[string]string
	timeout time.Duration // of one attempt
	gzip    bool
	tls     *tls.Config // nil: the system's
}

// mostOTLPFile is how large a file of certificates may be.
const mostOTLPFile = 4 << 20

func otlpFromEnvironment() (s otlpSettings, err error) {
	if _, value, place := otlpVariable("PROTOCOL"); value != "" && value != "http/protobuf" {
		return s, wrongVariable(place, "rung speaks OTLP over HTTP with protobuf and not "+strconv.Quote(cut(value, 40)), "set it to http/protobuf, and name the collector's HTTP address (port 4318 as a rule, not 4317)", nil)
	}
	if s.url, err = otlpAddress(); err != nil {
		return s, err
	}
	if s.headers, err = otlpHeaders(); err != nil {
		return s, err
	}
	s.timeout = 10 * time.Second
	if _, value, place := otlpVariable("TIMEOUT"); value != "" {
		ms, err := strconv.ParseUint(value, 10, 31)
		if err != nil || ms == 0 {
			return s, wrongVariable(place, strconv.Quote(cut(value, 40))+" is no number of milliseconds", "write for example 10000 for ten seconds", err)
		}
		s.timeout = time.Duration(ms) * time.Millisecond
	}
	switch _, value, place := otlpVariable("COMPRESSION"); value {
	case "", "none":
	case "gzip":
		s.gzip = true
	default:
		return s, wrongVariable(place, "there is no compression "+strconv.Quote(cut(value, 40)), "write gzip or none", nil)
	}
	if s.tls, err = otlpTLS(); err == nil && s.tls != nil && s.url.Scheme == "http" {
		return s, wrongVariable("OTEL_EXPORTER_OTLP_ENDPOINT", "certificates are named, and the address is one without TLS", "write https:// in the address, or unset the certificates", nil)
	}
	return s, err
}

// otlpVariable is the value of OTEL_EXPORTER_OTLP_TRACES_name, else of OTEL_EXPORTER_OTLP_name. An empty one counts as unset.
func otlpVariable(name string) (ofTraces bool, value, place string) {
	place = "OTEL_EXPORTER_OTLP_TRACES_" + name
	if value = strings.TrimSpace(os.Getenv(place)); value != "" {
		return true, value, place
	}
	place = "OTEL_EXPORTER_OTLP_" + name
	return false, strings.TrimSpace(os.Getenv(place)), place
}

func wrongVariable(place, what, do string, err error) error {
	return &rung.Error{Code: rung.CodeInput, Place: place, What: "the OpenTelemetry export cannot start: " + what, Do: do, Err: err}
}

// otlpAddress is where spans go: the address for traces as it is, the general one with v1/traces after it.
func otlpAddress() (*url.URL, error) {
	ofTraces, value, place := otlpVariable("ENDPOINT")
	if value == "" {
		value = "http://localhost:4318"
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The address may hold a password, and an error of url.Parse quotes it.
		return nil, wrongVariable(place, "it is not an address of HTTP", "write for example http://localhost:4318", nil)
	}
	if !ofTraces {
		u = u.JoinPath("v1/traces")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// otlpHeaders are written name=value,name=value with the values escaped as in addresses. No error quotes a value: it may be a key.
func otlpHeaders() (map[string]string, error) {
	_, value, place := otlpVariable("HEADERS")
	out := map[string]string{}
	for part := range strings.SplitSeq(value, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, escaped, found := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		text, err := url.PathUnescape(escaped)
		text = strings.TrimSpace(text)
		if !found || err != nil || !headerName(name) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, wrongVariable(place, "a header in it cannot be read", "write name=value,name=value; escape other signs in values as in addresses, such as %2C for a comma", nil)
		}
		out[name] = text
	}
	return out, nil
}

func headerName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// otlpTLS is nil where no certificate is named.
func otlpTLS() (*tls.Config, error) {
	var c tls.Config
	if _, path, place := otlpVariable("CERTIFICATE"); path != "" {
		pem, err := otlpFile(path, place)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, wrongVariable(place, path+" holds no certificate in PEM", "name a file of PEM certificates", nil)
		}
	}
	_, certificate, place := otlpVariable("CLIENT_CERTIFICATE")
	_, key, keyPlace := otlpVariable("CLIENT_KEY")
	switch {
	case certificate == "" && key == "" && c.RootCAs == nil:
		return nil, nil
	case certificate == "" && key == "":
		return &c, nil
	case certificate == "" || key == "":
		return nil, wrongVariable(place, "a client's certificate and its key are only of use together", "set both "+place+" and "+keyPlace+", or neither", nil)
	}
	pair, err := otlpPair(certificate, place, key, keyPlace)
	c.Certificates = []tls.Certificate{pair}
	return &c, err
}

func otlpPair(certificate, place, key, keyPlace string) (tls.Certificate, error) {
	certPEM, err := otlpFile(certificate, place)
	if err != nil {
		return tls.Certificate{}, err
	}
	keyPEM, err := otlpFile(key, keyPlace)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return pair, wrongVariable(place, "the certificate and the key do not go together: "+err.Error(), "name the PEM files of one pair", err)
	}
	return pair, nil
}

func otlpFile(path, place string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > mostOTLPFile) {
		err = errors.New("it is not a file of at most 4 MiB")
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, wrongVariable(place, path+" cannot be read: "+err.Error(), "name a file of PEM certificates that this user may read", err)
	}
	return b, nil
}
