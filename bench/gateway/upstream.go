package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"
)

const answer = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"The parcel was sent on Monday and should be with you on Thursday. You can follow it with the link in the mail."},"finish_reason":"stop"}],"usage":{"prompt_tokens":120,"completion_tokens":28,"total_tokens":148}}`

// upstream is a model server that answers at once: the same in every measurement.
func upstream() (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	body := []byte(answer)
	length := []string{strconv.Itoa(len(body))}
	kind := []string{"application/json"}
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // ends with the program
			b, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			if bytes.Contains(b, []byte(`"stream":true`)) {
				stream(w)
				return
			}
			w.Header()["Content-Type"], w.Header()["Content-Length"] = kind, length
			_, _ = w.Write(body)
		}))
	}()
	return "http://" + l.Addr().String(), nil
}

// stream sends twenty tokens, one every five milliseconds, the first at once.
func stream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	for range 20 {
		_, _ = io.WriteString(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}`+"\n\n")
		_ = control.Flush()
		time.Sleep(5 * time.Millisecond)
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// proxy is the yardstick: what the standard library does with a request that is only handed on. Its transport keeps as many
// connections as there are requests, as any proxy's would be set to.
func proxy(target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p := httputil.NewSingleHostReverseProxy(u)
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 2048, 1024
	p.Transport, p.FlushInterval = t, -1
	if _, err := io.WriteString(stdout, "http://"+l.Addr().String()+"\n"); err != nil {
		return err
	}
	return http.Serve(l, p)
}
