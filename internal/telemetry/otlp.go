package telemetry

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// otlpExporter sends spans by OTLP over HTTP in protobuf (OpenTelemetry protocol 1.x, "OTLP/HTTP"). It is our own because the
// official exporter (otlptracehttp) brings gRPC along even where only HTTP is spoken: 1.8 MB of a binary that has a limit. What it
// sends is held equal to what the official one sends by TestOTLPMessageIsTheOfficialOne. It differs in four points, on purpose:
// wrong variables are errors when it starts instead of lines in a log, redirects are not followed, only protobuf is spoken, and
// OTEL_EXPORTER_OTLP_INSECURE says nothing, since the scheme of the address does.
type otlpExporter struct {
	settings otlpSettings
	agent    string
	client   *http.Client
	stop     context.CancelCauseFunc
	stopped  context.Context
	// pause is the wait after the first failure, longest that of any; most is the time after which nothing is tried again.
	pause, longest, most time.Duration
}

// mostReply is how many bytes of a collector's reply are read.
const mostReply = 64 << 10

var errStopped = errors.New("the export has been stopped")

// newOTLP makes the exporter that the environment asks for. Its errors are *rung.Error with the variable as place.
func newOTLP(version string) (*otlpExporter, error) {
	settings, err := otlpFromEnvironment()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if settings.tls != nil {
		transport.TLSClientConfig = settings.tls
	}
	e := &otlpExporter{
		settings: settings, agent: "rung/" + cmp.Or(version, "unknown"),
		pause: 5 * time.Second, longest: 30 * time.Second, most: time.Minute, // as the official exporter has it
		client: &http.Client{Transport: transport, Timeout: settings.timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the headers may hold a key, which is for the host that the user named
		}},
	}
	e.stopped, e.stop = context.WithCancelCause(context.Background())
	return e, nil
}

// ExportSpans sends a batch, again where the collector says that it may succeed later, as long as ctx and the bounds allow.
// A *partialSuccess says that the collector took the batch and refused some of it.
func (e *otlpExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	message := &otlp.TracesData{ResourceSpans: resourceSpans(spans)} // has the wire format of ExportTraceServiceRequest, whose package brings gRPC
	if len(message.ResourceSpans) == 0 {
		return nil
	}
	body, err := e.encode(message)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.stopped, func() { cancel(errStopped) })()
	begin := time.Now()
	for attempt := 0; ; attempt++ {
		err := e.post(ctx, body)
		again := (*retryable)(nil)
		if !errors.As(err, &again) {
			return err
		}
		wait := max(e.backoff(attempt), again.after)
		if ctx.Err() != nil || time.Since(begin)+wait > e.most {
			return fmt.Errorf("given up after %d attempts: %w", attempt+1, err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("%w, after %d attempts: %w", context.Cause(ctx), attempt+1, err)
		}
	}
}

// Shutdown ends what is being sent. Spans that come later are refused.
func (e *otlpExporter) Shutdown(context.Context) error {
	e.stop(errStopped)
	e.client.CloseIdleConnections()
	return nil
}

func (e *otlpExporter) encode(message *otlp.TracesData) ([]byte, error) {
	body, err := proto.Marshal(message)
	if err != nil || !e.settings.gzip {
		return body, err
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// backoff grows by half from one failure to the next, and is spread so that many gateways do not come back at once.
func (e *otlpExporter) backoff(attempt int) time.Duration {
	wait := float64(e.pause)
	for range attempt {
		wait = min(1.5*wait, float64(e.longest))
	}
	return time.Duration(wait * (.5 + rand.Float64()))
}

// post makes one attempt.
func (e *otlpExporter) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.settings.url.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", e.agent)
	for name, value := range e.settings.headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	if e.settings.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := e.client.Do(req)
	if err != nil {
		if failed := net.Error(nil); errors.As(err, &failed) && failed.Timeout() && ctx.Err() == nil {
			return &retryable{err: err}
		}
		return err
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, mostReply))
	if resp.StatusCode/100 == 2 {
		return partial(resp.Header.Get("Content-Type"), reply) // what was taken stays taken, also if the reply broke off
	}
	if err != nil {
		reply = nil
	}
	return e.refused(resp, reply)
}

// refused is the error of a reply that is not a success.
func (e *otlpExporter) refused(resp *http.Response, reply []byte) error {
	err := fmt.Errorf("%s answers %s: %q", e.settings.url.Redacted(), resp.Status, cut(strings.TrimSpace(string(reply)), 300))
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &retryable{err: err, after: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return fmt.Errorf("%w (redirects are not followed; name the address itself)", err)
	}
	return err
}

// retryable is a failure after which the same request may succeed, not before after has passed.
type retryable struct {
	err   error
	after time.Duration
}

func (r *retryable) Error() string { return r.err.Error() }
func (r *retryable) Unwrap() error { return r.err }

// retryAfter reads the header of that name: seconds or a date; what is neither asks for nothing.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

// partialSuccess says that a collector took a batch and refused rejected of its spans; none with a message is a warning.
type partialSuccess struct {
	rejected int64
	message  string
}

func (p *partialSuccess) Error() string {
	return fmt.Sprintf("the collector took the batch and refused %d of its spans: %q", p.rejected, cut(p.message, 300))
}

// partial reads an ExportTraceServiceResponse. One that cannot be read says nothing against the batch.
func partial(kind string, reply []byte) error {
	p := partialSuccess{}
	switch {
	case strings.HasPrefix(kind, "application/x-protobuf"):
		eachField(reply, func(n protowire.Number, inner []byte, _ uint64) {
			if n == 1 { // partial_success
				eachField(inner, func(n protowire.Number, text []byte, number uint64) {
					switch n {
					case 1:
						p.rejected = int64(number)
					case 2:
						p.message = string(text)
					}
				})
			}
		})
	case strings.HasPrefix(kind, "application/json"):
		var r struct {
			PartialSuccess struct {
				RejectedSpans json.Number // protobuf's JSON has 64-bit numbers as strings
				ErrorMessage  string
			}
		}
		if json.Unmarshal(reply, &r) == nil {
			p.rejected, _ = r.PartialSuccess.RejectedSpans.Int64()
			p.message = r.PartialSuccess.ErrorMessage
		}
	}
	if p.rejected == 0 && p.message == "" {
		return nil
	}
	return &p
}

// eachField hands over a protobuf message's fields of bytes and of varints, as far as it can be read.
func eachField(b []byte, take func(n protowire.Number, bytes []byte, number uint64)) {
	for len(b) > 0 {
		n, kind, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return
		}
		size := protowire.ConsumeFieldValue(n, kind, b[tag:])
		if size < 0 {
			return
		}
		switch value := b[tag : tag+size]; kind {
		case protowire.BytesType:
			inner, _ := protowire.ConsumeBytes(value)
			take(n, inner, 0)
		case protowire.VarintType:
			number, _ := protowire.ConsumeVarint(value)
			take(n, nil, number)
		}
		b = b[tag+size:]
	}
}
