package modeltest

import (
	"fmt"
	"net/http"
	"strings"
)

// Fault is a way to misbehave.
type Fault string

// The faults.
const (
	None        Fault = ""
	RateLimited Fault = "429"
	ServerError Fault = "500"
	Unavailable Fault = "503"
	Overloaded  Fault = "529"
	HTMLError   Fault = "html-502"    // a proxy's page in place of JSON
	Cut         Fault = "cut"         // the connection ends in the middle of the body
	CutEarly    Fault = "cut-early"   // the connection ends before the headers
	Hang        Fault = "hang"        // no answer, ever
	HangBody    Fault = "hang-body"   // headers and half a body, then nothing
	BadJSON     Fault = "bad-json"    // 200 with text that is no JSON
	WrongType   Fault = "wrong-type"  // 200 with a web page
	WrongShape  Fault = "wrong-shape" // 200 with JSON of another kind
	Endless     Fault = "endless"     // a body without end
	Stream      Fault = "stream"      // server-sent events without end, though none were asked for
	NoChoices   Fault = "no-choices"
	HugeHeaders Fault = "huge-headers"
	BadKey      Fault = "401"
	NoCredit    Fault = "no-credit" // 429 that no waiting cures
	NoModel     Fault = "404"
	NoSchema    Fault = "no-schema" // 400: response_format is not supported
	TooLong     Fault = "too-long"  // 400: the prompt does not fit the context
	BadRequest  Fault = "400"
	Redirect    Fault = "redirect"
)

// refusals are the faults that are an error answer with a body: status, type, code, message.
var refusals = map[Fault]struct {
	status              int
	kind, code, message string
}{
	RateLimited: {429, "rate_limit_error", "rate_limit_exceeded", "Rate limit reached"},
	ServerError: {500, "server_error", "", "The server had an error"},
	Unavailable: {503, "unavailable_error", "", "Loading model"},
	Overloaded:  {529, "overloaded_error", "", "Overloaded"},
	BadKey:      {401, "authentication_error", "invalid_api_key", "Incorrect API key provided"},
	NoCredit:    {429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota, please check your plan and billing details"},
	NoModel:     {404, "not_found_error", "model_not_found", "The model does not exist or you do not have access to it"},
	NoSchema:    {400, "invalid_request_error", "unsupported_value", "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model"},
	TooLong:     {400, "invalid_request_error", "context_length_exceeded", "This model's maximum context length is 4096 tokens"},
	BadRequest:  {400, "invalid_request_error", "", "Something about the request is wrong"},
}

// misbehave reports whether it has answered.
func (s *Server) misbehave(w http.ResponseWriter, r *http.Request, c Call, reply Reply) bool {
	if reply.RetryAfter != "" {
		w.Header().Set("Retry-After", reply.RetryAfter)
	}
	if e, ok := refusals[reply.Fault]; ok {
		writeError(w, c.API, e.status, e.kind, e.code, e.message)
		return true
	}
	switch reply.Fault {
	case HTMLError:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, "<html><body><h1>502 Bad Gateway</h1></body></html>")
	case Redirect:
		http.Redirect(w, r, "https://elsewhere.example/v1", http.StatusTemporaryRedirect)
	case BadJSON:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"choices": [{"message": {"content": "half an answer`)
	case WrongType:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Welcome to nginx!</body></html>")
	case WrongShape:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `[1, 2, 3]`)
	case HugeHeaders:
		w.Header().Set("X-Huge", strings.Repeat("x", 1<<20))
		fmt.Fprint(w, "{}")
	default:
		return s.breakOff(w, r, reply.Fault)
	}
	return true
}

// breakOff does what is wrong with the connection rather than with the answer.
func (s *Server) breakOff(w http.ResponseWriter, r *http.Request, f Fault) bool {
	switch f {
	case Cut, HangBody:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"choices": [`)
		_ = http.NewResponseController(w).Flush()
		if f == HangBody {
			s.hang(r)
		}
		panic(http.ErrAbortHandler)
	case CutEarly:
		panic(http.ErrAbortHandler)
	case Hang:
		s.hang(r)
		panic(http.ErrAbortHandler)
	case Endless:
		w.Header().Set("Content-Type", "application/json")
		endless(w, `{"choices": [`, strings.Repeat(`{"message": {"content": "more"}},`, 1000))
	case Stream:
		w.Header().Set("Content-Type", "text/event-stream")
		endless(w, "", strings.Repeat("data: {\"choices\":[{\"delta\":{\"content\":\"more\"}}]}\n\n", 1000))
	default:
		return false
	}
	return true
}

func endless(w http.ResponseWriter, first, more string) {
	if _, err := fmt.Fprint(w, first); err != nil {
		return
	}
	for { // until the client has had enough
		if _, err := fmt.Fprint(w, more); err != nil {
			return
		}
	}
}

func (s *Server) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.quit:
	}
}

func writeError(w http.ResponseWriter, api string, status int, kind, code, message string) {
	e := map[string]any{"message": message, "type": kind}
	body := map[string]any{"error": e}
	if api == "anthropic" {
		body["type"] = "error"
	} else {
		e["code"], e["param"] = nil, nil
		if code != "" {
			e["code"] = code
		}
	}
	writeJSON(w, status, body)
}
