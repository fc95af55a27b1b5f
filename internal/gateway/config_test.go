package gateway_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/gateway"
)

const wholeConfig = `listen: 0.0.0.0:8443
tls: {cert: cert.pem, key: key.pem}
limits:
  body: 1MiB
  bodies: 8MiB
  header: 32KiB
  read: 10s
  write: 20s
  idle: 1m
  request: 2m
  connections: 100
  concurrency: 8
  queue: 16
  queue_wait: 500ms
  upstream: 32
  retries: 1
  attempt: 30s
pass: [openai/*, anthropic/claude]
defaults: {history: refuse}
tasks:
  tickets:
    alias: stable
    timeout: 5s
    text: false
    fallback:
      - release: v2
      - model: openai/gpt-4o-mini
groups:
  header: X-Groups
  trusted: [10.0.0.0/8]
  token: {secret_env: GROUPS_SECRET, issuer: me, audience: rung, required: true}
traces: {text: true, keep: 7d, max_size: 2GiB}
metrics: {open: true}
drain: 5s
`

func TestConfig(t *testing.T) {
	t.Setenv("GROUPS_SECRET", strings.Repeat("s", 32))
	c, err := gateway.ParseConfig("conf/gateway.yaml", []byte(wholeConfig))
	if err != nil {
		t.Fatal(err)
	}
	text := false
	want := map[string]gateway.TaskConfig{"tickets": {Alias: "stable", History: "refuse", Timeout: 5 * time.Second, Text: &text, Fallback: []gateway.Fallback{{Release: "v2"}, {Model: "openai/gpt-4o-mini"}}}}
	if diff := cmp.Diff(want, c.Tasks); diff != "" {
		t.Error(diff)
	}
	limits := gateway.Limits{Body: 1 << 20, Bodies: 8 << 20, Header: 32 << 10, Read: 10 * time.Second, Write: 20 * time.Second, Idle: time.Minute, Request: 2 * time.Minute, Connections: 100,
		Concurrency: 8, Queue: 16, QueueWait: 500 * time.Millisecond, Upstream: 32, Retries: 1, Attempt: 30 * time.Second}
	if diff := cmp.Diff(limits, c.Limits); diff != "" {
		t.Error(diff)
	}
	if c.Cert != filepath.Join("conf", "cert.pem") || c.Keep != 7*24*time.Hour || c.KeepBytes != 2<<30 || !c.OpenMetrics || c.Drain != 5*time.Second || !c.Groups.Required || c.Listen != "0.0.0.0:8443" {
		t.Errorf("%+v", c)
	}
	if c, err := gateway.ParseConfig("x", nil); err != nil || cmp.Diff(gateway.Default().Limits, c.Limits) != "" {
		t.Errorf("an empty file: %+v, %v", c, err)
	}
}

// TestBadConfigs: each fault is named with its place and a remedy, all of a file at once.
func TestBadConfigs(t *testing.T) {
	for text, want := range map[string]string{
		"lisen: x":                              `g.yaml:1:1: there is no key "lisen" here; use defaults, drain, groups, limits, listen, metrics, pass, tasks, tls, traces`,
		"listen: 8080":                          `g.yaml:1:9: "8080" is not an address`,
		"limits:\n  body: 2MiB\n  bodies: 1MiB": `g.yaml:2:3: limits.bodies is smaller`,
		"limits:\n  body: much":                 `g.yaml:2:9: "much" is not a size`,
		"limits:\n  read: 5":                    `g.yaml:2:9: "5" is not a duration`,
		"limits: {queue: -1}":                   `g.yaml:1:17: "-1" is not a whole number`,
		"pass: [openai]":                        `g.yaml:1:8: "openai" is not provider/* or provider/model`,
		"tasks:\n  x:\n    history: maybe":      `g.yaml:3:14: history is neither keep nor refuse`,
		"tasks: {x: {fallback: [{model: a}]}}":  `"a" is not provider/model`,
		"tasks: {x: {fallback: [{}]}}":          `a fallback is either a release or a model`,
		"groups: {header: X}":                   `a header is trusted from certain addresses only`,
		"groups: {header: X, trusted: [all]}":   `"all" is not a range of addresses`,
		"groups: {token: {secret_env: NO_ENV}}": `has fewer than 32 bytes`,
		"tls: {cert: a}":                        `tls needs both cert and key`,
		"a: [":                                  `g.yaml:1:`,
		"- x":                                   `this is not a mapping`,
		"metrics: {open: yes please}":           `neither true nor false`,
		"listen: 1\npass: [x]\nnope: 1":         "g.yaml:1:9",
		"\xff":                                  "not UTF-8",
	} {
		_, err := gateway.ParseConfig("g.yaml", []byte(text))
		var all rung.Errors
		if !errors.As(err, &all) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
			continue
		}
		for _, e := range all {
			if e.Code != rung.CodeInput || e.Do == "" || e.Place == "" {
				t.Errorf("%q: %+v", text, e)
			}
		}
	}
	_, err := gateway.ParseConfig("g.yaml", []byte("listen: 1\npass: [x]\nnope: 1"))
	if n := strings.Count(err.Error(), "\n"); n != 2 {
		t.Errorf("not all faults at once: %v", err)
	}
	if _, err := gateway.LoadConfig(filepath.Join(t.TempDir(), "none.yaml")); rung.CodeOf(err) != rung.CodeInput {
		t.Error(err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(wholeConfig))
	for _, s := range []string{"", "a: &a [*a]", "tasks: {x: null}", "limits: 3", strings.Repeat("[", 100), "pass: {a: b}", "? a\n: b", "!!binary x", "a: |\n  b", "%YAML 1.1\n---\n", "x: 1\n---\ny: 2"} {
		f.Add([]byte(s))
	}
	f.Setenv("GROUPS_SECRET", strings.Repeat("s", 32))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4<<10 {
			return
		}
		c, err := gateway.ParseConfig("g.yaml", text)
		if (c == nil) == (err == nil) {
			t.Fatalf("%q: %+v, %v", text, c, err)
		}
		if err == nil && (c.Limits.Concurrency < 1 || c.Limits.Body < 1 || c.Defaults.Alias == "" || c.Limits.Request <= 0) {
			t.Fatalf("%q gave %+v", text, c)
		}
	})
}
