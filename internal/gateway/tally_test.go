package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// passed is a call of a body of 400 bytes, about 100 tokens, to a provider of USD 1 for each million tokens.
func passed(w http.ResponseWriter, a *api) (*call, *upstream) {
	c := &call{api: a, cfg: &Config{}, w: w, control: http.NewResponseController(w), trace: &rung.Trace{}, start: time.Now(), body: bytes.Repeat([]byte("x"), 400)}
	return c, &upstream{Upstream: Upstream{Prices: func(string) model.Price { return model.Price{In: 1, Out: 1} }}}
}

// TestStreamsWithoutTheirLastUsage: a provider bills what it made, whether or not the caller waited for the event that says how much.
func TestStreamsWithoutTheirLastUsage(t *testing.T) {
	messages := func(delta string) string {
		return "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":300,\"output_tokens\":1}}}\n\n" +
			strings.Repeat("data: {\"type\":\"content_block_delta\",\"delta\":"+delta+"}\n\n", 50)
	}
	long := strings.Repeat("y", 40)
	for _, c := range []struct {
		name   string
		api    *api
		stream string
		want   rung.Usage
	}{
		{"messages, text", messagesAPI, messages(`{"type":"text_delta","text":"` + long + `"}`), rung.Usage{In: 300, Out: 500}},
		{"messages, thoughts", messagesAPI, messages(`{"type":"thinking_delta","thinking":"` + long + `"}`), rung.Usage{In: 300, Out: 500}},
		{"messages, calls", messagesAPI, messages(`{"type":"input_json_delta","partial_json":"` + long + `"}`), rung.Usage{In: 300, Out: 500}},
		{"messages, short pieces", messagesAPI, messages(`{"type":"text_delta","text":"y"}`), rung.Usage{In: 300, Out: 50}},
		{"messages, whole", messagesAPI, messages(`{"type":"text_delta","text":"`+long+`"}`) + "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":60}}\n\n", rung.Usage{In: 300, Out: 60}},
		{"chat", chatAPI, strings.Repeat("data: {\"choices\":[{\"delta\":{\"content\":\""+long+"\"}}]}\n\n", 50), rung.Usage{In: 100, Out: 500}},
		{"chat, usage of the beginning", chatAPI, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7}}\n\n" + strings.Repeat("data: {\"choices\":[{\"delta\":{\"content\":\""+long+"\"}}]}\n\n", 50), rung.Usage{In: 100, Out: 500}},
		{"chat, whole", chatAPI, strings.Repeat("data: {\"choices\":[{\"delta\":{\"content\":\""+long+"\"}}]}\n\n", 50) + "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":8}}\n\n", rung.Usage{In: 7, Out: 8}},
		{"responses, calls", responsesAPI, strings.Repeat("data: {\"type\":\"response.function_call_arguments.delta\",\"delta\":\""+long+"\"}\n\n", 50), rung.Usage{In: 100, Out: 500}},
		{"responses, completed without usage", responsesAPI, strings.Repeat("data: {\"type\":\"response.output_text.delta\",\"delta\":\"y\"}\n\n", 50) + "data: {\"type\":\"response.completed\",\"response\":{}}\n\n", rung.Usage{In: 100, Out: 50}},
		{"nothing came", chatAPI, "", rung.Usage{In: 100}},
	} {
		call, up := passed(httptest.NewRecorder(), c.api)
		tally := &tally{api: c.api}
		tally.feed([]byte(c.stream))
		call.settle(up, "m", tally)
		if call.trace.Usage != c.want || call.trace.CostUSD != float64(c.want.In+c.want.Out)/1e6 {
			t.Errorf("%s: %+v, USD %g, want %+v", c.name, call.trace.Usage, call.trace.CostUSD, c.want)
		}
	}
}

// hungUp is a caller who went away.
type hungUp struct{ *httptest.ResponseRecorder }

func (hungUp) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestWholeAnswersCountForThoseWhoHangUp, and also where the end of a long one is all that says what it took.
func TestWholeAnswersCountForThoseWhoHangUp(t *testing.T) {
	short := `{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":1000,"completion_tokens":500}}`
	long := fmt.Sprintf(`{"choices":[{"message":{"content":"%s \"usage\": {\"prompt_tokens\":1}"}}],"usage" : {"prompt_tokens":1000,"completion_tokens":500},"metadata":{"usage":"x"},"user":"\"usage\":{\"prompt_tokens\":2}"}`, strings.Repeat("y", 3<<20))
	none := `{"choices":[{"message":{"content":"` + strings.Repeat("y", 3<<20) + `"}}]}`
	for name, c := range map[string]struct {
		body    string
		length  bool
		w       http.ResponseWriter
		in, out int
	}{
		"short":           {short, true, httptest.NewRecorder(), 1000, 500},
		"short, gone":     {short, true, hungUp{httptest.NewRecorder()}, 1000, 500},
		"long":            {long, true, httptest.NewRecorder(), 1000, 500},
		"long, unknown":   {long, false, httptest.NewRecorder(), 1000, 500},
		"long, gone":      {long, false, hungUp{httptest.NewRecorder()}, 100, 2000},
		"long, no usage":  {none, false, httptest.NewRecorder(), 100, len(none) / 4},
		"short, no usage": {`{"choices":[]}`, true, httptest.NewRecorder(), 100, 3},
	} {
		call, up := passed(c.w, chatAPI)
		resp := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: -1, Body: io.NopCloser(strings.NewReader(c.body))}
		if c.length {
			resp.ContentLength = int64(len(c.body))
		}
		tally := &tally{api: chatAPI}
		if err := call.hand(resp, tally); (err != nil) != strings.HasSuffix(name, "gone") {
			t.Errorf("%s: %v", name, err)
		}
		call.settle(up, "m", tally)
		if u := call.trace.Usage; u.In != c.in || u.Out < c.out && name == "long, gone" || u.Out != c.out && name != "long, gone" {
			t.Errorf("%s: %+v, want %d and %d", name, u, c.in, c.out)
		}
	}
}
