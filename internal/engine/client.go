package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// client speaks to one llama.cpp server on the loopback interface.
type client struct {
	base string
	key  string
	http *http.Client
}

// maxAnswer bounds what is read from a server. Embeddings of one batch are the largest answers.
const maxAnswer = 64 << 20

func newClient(base, key string) *client {
	return &client{base: base, key: key, http: &http.Client{
		Transport: &http.Transport{ // no proxy: the server is on this machine
			DialContext:         (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 64,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// refusal is an error that the server answered with.
type refusal struct {
	Status  int
	Type    string `json:"type"`
	Message string `json:"message"`
	Prompt  int    `json:"n_prompt_tokens"`
	Context int    `json:"n_ctx"`
}

func (r *refusal) Error() string { return fmt.Sprintf("HTTP %d: %s", r.Status, r.Message) }

// post sends body as JSON to path and reads the answer into out. The error is a *refusal where the server answered with one.
func (c *client) post(ctx context.Context, path string, body, out any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return c.do(req, out)
}

func (c *client) get(ctx context.Context, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return err
	}
	return c.do(req, out)
}

func (c *client) do(req *http.Request, out any) error {
	req.Header.Set("Authorization", "Bearer "+c.key)
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return err
	}
	if len(b) > maxAnswer {
		return errors.New("the local engine's answer is longer than 64 MiB")
	}
	if resp.StatusCode != http.StatusOK {
		said := struct {
			Error *refusal `json:"error"`
		}{Error: &refusal{}}
		if json.Unmarshal(b, &said) != nil || said.Error == nil || said.Error.Message == "" {
			return &refusal{Status: resp.StatusCode, Message: string(b[:min(len(b), 300)])}
		}
		said.Error.Status = resp.StatusCode
		return said.Error
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

func (c *client) health(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// Not /health, which needs no key: this must be our server, not one that took the port before it.
	return c.get(ctx, "/props", nil)
}
