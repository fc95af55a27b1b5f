package openai_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/openai"
)

// canned is a server that answers every request with one body.
type canned string

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(string(c))), ContentLength: int64(len(c)), Request: r}, nil
}

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","choices":[{"message":{"content":"x"},"finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}}`,
		`{"choices":[{"message":{"content":null,"refusal":"no"}}]}`, `{"choices":[{}],"usage":{"prompt_tokens":-1}}`, `{"error":{"code":401,"message":"\u001b[31m"}}`,
		`{"error":{"code":1e99}}`, `[]`, `null`, ``, "\x00", `{"choices":[{"message":{"content":"\ud800"}}],"model":"` + strings.Repeat("x", 400) + `"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		p, err := openai.New(openai.Config{Name: "openai", BaseURL: "http://localhost:1/v1", HTTP: canned(body)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Complete(t.Context(), model.Request{Model: "openai/m"})
		if err != nil {
			if code := rung.CodeOf(err); code == rung.CodeInternal || strings.ContainsAny(err.Error(), "\n\x1b\x00") || len(err.Error()) > 2000 {
				t.Errorf("%q gave the error %q of code %s", body, err, code)
			}
			return
		}
		if u := got.Usage; u.In < 0 || u.Out < 0 || u.CachedIn < 0 || u.CachedIn > u.In || !utf8.ValidString(got.Text) {
			t.Errorf("%q gave %+v", body, got)
		}
	})
}
