package modeltest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// StreamWants lists how each fault of a stream is reported, beside those of Wants that come before the first event.
var StreamWants = []Want{
	{Fault: RateLimited, Code: rung.CodeProvider, Transient: true, Says: "429"},
	{Fault: Unavailable, Code: rung.CodeProvider, Transient: true, Says: "503"},
	{Fault: CutEarly, Code: rung.CodeProvider, Transient: true, Says: "cut"},
	{Fault: Hang, Code: rung.CodeTimeout, Transient: true},
	{Fault: BadKey, Code: rung.CodeAuth, Says: "_API_KEY"},
	{Fault: Stream, Code: rung.CodeProvider, Says: ""},
	{Fault: Endless, Code: rung.CodeProvider, Says: ""},
	{Fault: CutStream, Code: rung.CodeProvider, Transient: true, Says: "cut"},
	{Fault: HangStream, Code: rung.CodeTimeout, Transient: true},
	{Fault: ErrorStream, Code: rung.CodeProvider, Transient: true, Says: "The server had an error"},
	{Fault: BadStream, Code: rung.CodeProvider, Says: "makes no sense"},
	{Fault: HugeEvent, Code: rung.CodeProvider, Says: "1 MiB"},
	{Fault: ShortStream, Code: rung.CodeProvider, Transient: true, Says: "ended before"},
}

// ConformStream holds a provider that streams to what the door and the gateway rely on. It runs in virtual time.
func ConformStream(t *testing.T, ref rung.ModelRef, mk Maker) {
	t.Run("pieces come when they are made", func(t *testing.T) { streamPieces(t, ref, mk) })
	for _, w := range StreamWants {
		t.Run("fault "+string(w.Fault), func(t *testing.T) { streamFault(t, ref, mk, w) })
	}
	t.Run("ends with the caller", func(t *testing.T) { streamRefused(t, ref, mk) })
}

func streamer(t *testing.T, p model.Provider) model.Streamer {
	s, ok := p.(model.Streamer)
	if !ok {
		t.Fatal("the provider does not stream")
	}
	return s
}

func streamPieces(t *testing.T, ref rung.ModelRef, mk Maker) {
	script := func(c Call) Reply {
		if !c.Streamed || c.Header.Get("Authorization") != "Bearer the-key" && c.Header.Get("X-Api-Key") != "the-key" {
			return Reply{Fault: BadRequest}
		}
		return Reply{Text: "good day", Pieces: []string{"go", "od ", "", "däy"}, Gap: time.Second, Finish: "length", In: 100, CachedIn: 60, Out: 7}
	}
	bubble(t, script, mk, func(t *testing.T, _ *Server, p model.Provider) {
		var pieces []string
		var at []time.Duration
		start := time.Now()
		got, err := streamer(t, p).Stream(t.Context(), ask(ref), func(s string) error {
			pieces, at = append(pieces, s), append(at, time.Since(start))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := model.Response{Text: "good däy", Finish: "length", Usage: rung.Usage{In: 100, CachedIn: 60, Out: 7}, Served: ref.Name(), Latency: 4 * time.Second}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error("the response differs (-want +got):\n" + diff)
		}
		if diff := cmp.Diff([]string{"go", "od ", "däy"}, pieces) + cmp.Diff([]time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, at); diff != "" {
			t.Error("the pieces differ (-want +got):\n" + diff)
		}
	})
}

func streamFault(t *testing.T, ref rung.ModelRef, mk Maker, w Want) {
	bubble(t, Sequence(Reply{Text: "one two three", Fault: w.Fault}), mk, func(t *testing.T, _ *Server, p model.Provider) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		got, err := streamer(t, p).Stream(ctx, ask(ref), func(string) error { return nil })
		if err == nil {
			t.Fatalf("no error, but %+v", got)
		}
		checkError(t, err, w)
	})
}

// streamRefused: an error of the one who listens comes back as it is, and the call ends.
func streamRefused(t *testing.T, ref rung.ModelRef, mk Maker) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		s := New(func(Call) Reply { return Reply{Text: strings.Repeat("word ", 100), Gap: time.Second} })
		transport, stop := s.Pipe()
		defer stop()
		p := mk(t, watched{transport, gone}, "the-key")
		enough := errors.New("enough")
		_, err := streamer(t, p).Stream(t.Context(), ask(ref), func(string) error { return enough })
		if !errors.Is(err, enough) {
			t.Errorf("got %v", err)
		}
		<-gone
	})
}

// watched tells when the body of an answer was closed.
type watched struct {
	next http.RoundTripper
	gone chan struct{}
}

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err == nil {
		resp.Body = &watchedBody{resp.Body, w.gone}
	}
	return resp, err
}

type watchedBody struct {
	readCloser
	gone chan struct{}
}

type readCloser interface {
	Read([]byte) (int, error)
	Close() error
}

func (b *watchedBody) Close() error {
	close(b.gone)
	return b.readCloser.Close()
}
