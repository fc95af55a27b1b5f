package main

import (
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// peers starts the gateways of others that are installed in the virtual environment (or directory of node modules) that
// RUNG_BENCH_PEERS names. None is needed; one that does not start is left out and said.
func peers(dir, up string) (sides []*results, ends []func()) {
	root := os.Getenv("RUNG_BENCH_PEERS")
	if root == "" {
		return nil, nil
	}
	for _, p := range []func(root, dir, up string) (*results, func(), error){litellm, portkey, tensorzero} {
		r, end, err := p(root, dir, up)
		if err != nil {
			fmt.Fprintln(os.Stderr, "left out:", err)
			continue
		}
		sides, ends = append(sides, r), append(ends, end)
	}
	return sides, ends
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// peer starts a gateway and waits until it answers. Where s.url is empty, the gateway prints it.
func peer(s side, cmd *exec.Cmd) (*results, func(), error) {
	if _, err := os.Stat(cmd.Path); err != nil {
		return nil, nil, fmt.Errorf("%s is not installed", s.name)
	}
	out, err := os.CreateTemp("", "rung-bench-peer-")
	if err != nil {
		return nil, nil, err
	}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", s.name, err)
	}
	s.pid, s.key, s.peer = cmd.Process.Pid, "k", true
	end := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
		_ = os.Remove(out.Name())
	}
	printed := s.url == ""
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if printed {
			text, _ := os.ReadFile(out.Name()) // what is not there yet will be
			if lines := strings.Fields(string(text)); len(lines) > 0 {
				s.url = lines[len(lines)-1] + "/chat/completions"
			}
		}
		if answers(s) {
			return &results{side: s}, end, nil
		}
	}
	end()
	return nil, nil, fmt.Errorf("%s did not answer within three minutes", s.name)
}

func answers(s side) bool {
	req, err := http.NewRequest(http.MethodPost, s.url, strings.NewReader(fmt.Sprintf(question, s.model, "")))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.key)
	for line := range strings.SplitSeq(s.extra, "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func litellm(root, dir, up string) (*results, func(), error) {
	port, err := freePort()
	if err != nil {
		return nil, nil, err
	}
	config := filepath.Join(dir, "litellm.yaml")
	text := "model_list:\n  - model_name: m\n    litellm_params: {model: openai/m, api_base: " + up + "/v1, api_key: k}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, nil, err
	}
	return peer(side{name: "LiteLLM", url: "http://127.0.0.1:" + port + "/v1/chat/completions", model: "m"},
		exec.Command(filepath.Join(root, "bin", "litellm"), "--config", config, "--host", "127.0.0.1", "--port", port))
}

// portkey is told the upstream by headers.
func portkey(root, _, up string) (*results, func(), error) {
	port, err := freePort()
	if err != nil {
		return nil, nil, err
	}
	return peer(side{name: "Portkey", url: "http://127.0.0.1:" + port + "/v1/chat/completions", model: "m",
		extra: "x-portkey-provider: openai\r\nx-portkey-custom-host: " + up + "/v1\r\n"},
		exec.Command(filepath.Join(root, "node_modules", ".bin", "gateway"), "--port="+port, "--headless"))
}

// tensorzero runs the gateway inside TensorZero's wheel, without its traces: they need a ClickHouse.
func tensorzero(root, dir, up string) (*results, func(), error) {
	config := filepath.Join(dir, "tensorzero.toml")
	text := "[gateway]\nobservability.enabled = false\n[models.m]\nrouting = [\"mock\"]\n[models.m.providers.mock]\ntype = \"openai\"\nmodel_name = \"m\"\napi_base = \"" +
		up + "/v1/\"\napi_key_location = \"none\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, nil, err
	}
	script := filepath.Join(dir, "embedded.py")
	if err := os.WriteFile(script, embedded, 0o600); err != nil {
		return nil, nil, err
	}
	return peer(side{name: "TensorZero", model: "tensorzero::model_name::m"}, exec.Command(filepath.Join(root, "bin", "python"), script, config))
}

//go:embed embedded.py
var embedded []byte
