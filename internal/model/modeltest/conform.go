package modeltest

import (
	"context"
	"encoding/json"
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

// Maker makes the provider under test. Its base URL is to be at http://model.test, which transport serves; key is its key.
type Maker func(t *testing.T, transport http.RoundTripper, key string) model.Provider

// Want is how a provider must report a fault.
type Want struct {
	Fault     Fault
	Code      rung.Code
	Transient bool
	TooLong   bool
	Says      string // the error's text holds this
}

// Wants lists the faults and how each is reported, for every API alike.
var Wants = []Want{
	{Fault: RateLimited, Code: rung.CodeProvider, Transient: true, Says: "429"},
	{Fault: ServerError, Code: rung.CodeProvider, Transient: true, Says: "500"},
	{Fault: Unavailable, Code: rung.CodeProvider, Transient: true, Says: "503"},
	{Fault: Overloaded, Code: rung.CodeProvider, Transient: true, Says: "529"},
	{Fault: HTMLError, Code: rung.CodeProvider, Transient: true, Says: "502"},
	{Fault: Cut, Code: rung.CodeProvider, Transient: true, Says: "cut"},
	{Fault: CutEarly, Code: rung.CodeProvider, Transient: true, Says: "cut"},
	{Fault: Hang, Code: rung.CodeTimeout, Transient: true},
	{Fault: HangBody, Code: rung.CodeTimeout, Transient: true},
	{Fault: BadJSON, Code: rung.CodeProvider, Says: "makes no sense"},
	{Fault: WrongType, Code: rung.CodeProvider, Says: "makes no sense"},
	{Fault: WrongShape, Code: rung.CodeProvider, Says: "makes no sense"},
	{Fault: Endless, Code: rung.CodeProvider, Says: "8 MiB"},
	{Fault: Stream, Code: rung.CodeProvider, Says: "8 MiB"},
	{Fault: NoChoices, Code: rung.CodeProvider, Says: "holds no"},
	{Fault: HugeHeaders, Code: rung.CodeProvider},
	{Fault: BadKey, Code: rung.CodeAuth, Says: "_API_KEY"},
	{Fault: NoCredit, Code: rung.CodeAuth, Says: "no credit"},
	{Fault: NoModel, Code: rung.CodeModel, Says: "no model m"},
	{Fault: NoSchema, Code: rung.CodeUnsupported, Says: "not supported"},
	{Fault: TooLong, Code: rung.CodeProvider, TooLong: true, Says: "context"},
	{Fault: BadRequest, Code: rung.CodeProvider, Says: "Something about the request is wrong"},
	{Fault: Redirect, Code: rung.CodeUnreachable, Says: "elsewhere.example"},
}

// Conform holds a provider to what the door relies on. It runs in virtual time.
func Conform(t *testing.T, ref rung.ModelRef, make Maker) {
	t.Run("answers", func(t *testing.T) { conformAnswers(t, ref, make) })
	t.Run("sends everything", func(t *testing.T) { conformSends(t, ref, make) })
	for _, w := range Wants {
		t.Run("fault "+string(w.Fault), func(t *testing.T) { conformFault(t, ref, make, w) })
	}
	t.Run("unreachable", func(t *testing.T) { conformUnreachable(t, ref, make) })
	t.Run("gives up with its context", func(t *testing.T) { conformCancel(t, ref, make) })
	t.Run("hostile usage", func(t *testing.T) { conformUsage(t, ref, make) })
	t.Run("retry-after", func(t *testing.T) { conformRetryAfter(t, ref, make) })
}

// bubble runs f in virtual time against a server that does what script says.
func bubble(t *testing.T, script Script, mk Maker, f func(*testing.T, *Server, model.Provider)) {
	synctest.Test(t, func(t *testing.T) {
		s := New(script)
		transport, stop := s.Pipe()
		defer stop()
		f(t, s, mk(t, transport, "the-key"))
	})
}

func ask(ref rung.ModelRef) model.Request {
	return model.Request{Model: ref, Messages: []model.Message{{Role: "user", Content: "hello"}}, MaxTokens: 16}
}

func conformAnswers(t *testing.T, ref rung.ModelRef, mk Maker) {
	script := func(Call) Reply {
		return Reply{Text: "good day", Finish: "length", In: 100, CachedIn: 60, Out: 7, Delay: 3 * time.Second}
	}
	bubble(t, script, mk, func(t *testing.T, _ *Server, p model.Provider) {
		got, err := p.Complete(t.Context(), ask(ref))
		if err != nil {
			t.Fatal(err)
		}
		want := model.Response{Text: "good day", Finish: "length", Usage: rung.Usage{In: 100, CachedIn: 60, Out: 7}, Served: ref.Name(), Latency: 3 * time.Second}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error("the response differs (-want +got):\n" + diff)
		}
		if p.BaseURL() == "" {
			t.Error("a server's base URL is empty: the cache could not tell two servers apart")
		}
	})
}

func conformSends(t *testing.T, ref rung.ModelRef, mk Maker) {
	schema := json.RawMessage(`{"type":"object","properties":{"zebra":{"type":"string"},"apple":{"type":"number"}},"required":["zebra","apple"],"additionalProperties":false}`)
	messages := []model.Message{{Role: "system", Content: "be brief <&>"}, {Role: "user", Content: "Grüße\n\"x\""}, {Role: "assistant", Content: "ja"}, {Role: "user", Content: "und?"}}
	var seen Call
	script := func(c Call) Reply { seen = c; return Reply{Text: "{}"} }
	bubble(t, script, mk, func(t *testing.T, _ *Server, p model.Provider) {
		_, err := p.Complete(t.Context(), model.Request{Model: ref, Messages: messages, Schema: schema, MaxTokens: 33, Temperature: .5, Stop: []string{"END"}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(messages, seen.Messages); diff != "" {
			t.Error("the messages differ (-want +got):\n" + diff)
		}
		if seen.Model != ref.Name() || seen.MaxTokens != 33 {
			t.Errorf("sent model %q with %d tokens, want %q with 33", seen.Model, seen.MaxTokens, ref.Name())
		}
		if string(seen.Schema) != string(schema) {
			t.Errorf("the schema was sent as %s, want its own bytes %s", seen.Schema, schema)
		}
		for _, want := range []string{`"END"`, `0.5`} {
			if !strings.Contains(string(seen.Body), want) {
				t.Errorf("the request %s does not hold %s", seen.Body, want)
			}
		}
		if seen.Header.Get("Authorization") != "Bearer the-key" && seen.Header.Get("X-Api-Key") != "the-key" {
			t.Errorf("the key was not sent: %v", seen.Header)
		}
	})
}

func conformFault(t *testing.T, ref rung.ModelRef, mk Maker, w Want) {
	bubble(t, Sequence(Reply{Fault: w.Fault}), mk, func(t *testing.T, _ *Server, p model.Provider) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		got, err := p.Complete(ctx, ask(ref))
		if w.Fault == NoChoices && err == nil && got.Text == "" {
			return // an API in which an answer may be empty
		}
		if err == nil {
			t.Fatalf("no error, but %+v", got)
		}
		checkError(t, err, w)
	})
}

func checkError(t *testing.T, err error, w Want) {
	t.Helper()
	var transient *model.Transient
	var long *model.PromptTooLong
	var e *rung.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *rung.Error", err)
	}
	if e.Code != w.Code || errors.As(err, &transient) != w.Transient || errors.As(err, &long) != w.TooLong {
		t.Errorf("%q: code %s, transient %t, too long %t; want %s, %t, %t", err, e.Code, transient != nil, long != nil, w.Code, w.Transient, w.TooLong)
	}
	if !strings.Contains(err.Error(), w.Says) {
		t.Errorf("%q does not say %q", err, w.Says)
	}
	if e.Place == "" || e.What == "" || e.Do == "" {
		t.Errorf("%q leaves open the place, what is wrong or what to do: %+v", err, e)
	}
	if len(err.Error()) > 800 || strings.ContainsAny(err.Error(), "\n\r\x1b") {
		t.Errorf("%q is no sentence for a person", err)
	}
	if strings.Contains(err.Error(), "the-key") {
		t.Errorf("%q shows the key", err)
	}
}

func conformUnreachable(t *testing.T, ref rung.ModelRef, mk Maker) {
	synctest.Test(t, func(t *testing.T) {
		transport, stop := New(Echo).Pipe()
		stop()
		_, err := mk(t, transport, "the-key").Complete(t.Context(), ask(ref))
		checkError(t, err, Want{Code: rung.CodeUnreachable, Transient: true, Says: "_BASE_URL"})
	})
}

func conformCancel(t *testing.T, ref rung.ModelRef, mk Maker) {
	bubble(t, Sequence(Reply{Fault: Hang}), mk, func(t *testing.T, _ *Server, p model.Provider) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := p.Complete(ctx, ask(ref))
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		cancel()
		if err := <-done; err == nil || time.Since(start) > 0 {
			t.Errorf("a cancelled call ended with %v after %s", err, time.Since(start))
		}
	})
}

func conformUsage(t *testing.T, ref rung.ModelRef, mk Maker) {
	script := func(Call) Reply { return Reply{Text: "x", In: -5, CachedIn: 1 << 40, Out: -1} }
	bubble(t, script, mk, func(t *testing.T, _ *Server, p model.Provider) {
		got, err := p.Complete(t.Context(), ask(ref))
		if err != nil {
			t.Fatal(err)
		}
		if u := got.Usage; u.In < 0 || u.Out < 0 || u.CachedIn < 0 || u.CachedIn > u.In {
			t.Errorf("usage %+v makes a negative cost", u)
		}
	})
}

func conformRetryAfter(t *testing.T, ref rung.ModelRef, mk Maker) {
	for _, date := range []bool{false, true} {
		script := func(Call) Reply {
			after := "17"
			if date {
				after = time.Now().Add(17 * time.Second).UTC().Format(http.TimeFormat)
			}
			return Reply{Fault: RateLimited, RetryAfter: after}
		}
		bubble(t, script, mk, func(t *testing.T, _ *Server, p model.Provider) {
			_, err := p.Complete(t.Context(), ask(ref))
			var transient *model.Transient
			if !errors.As(err, &transient) || transient.RetryAfter != 17*time.Second {
				t.Errorf("date %t: %#v, want a wish to wait 17 s", date, err)
			}
		})
	}
}
