package main

import (
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

// peer starts a gateway and waits until it answers.
func peer(name, port, path, model string, cmd *exec.Cmd) (*results, func(), error) {
	if _, err := os.Stat(cmd.Path); err != nil {
		return nil, nil, fmt.Errorf("%s is not installed", name)
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	end := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
	}
	url := "http://127.0.0.1:" + port + path
	body := fmt.Sprintf(question, model, "")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			break
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer k")
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return &results{side: side{name: name, url: url, model: model, key: "k", pid: cmd.Process.Pid}}, end, nil
			}
		}
	}
	end()
	return nil, nil, fmt.Errorf("%s did not answer within a minute", name)
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
	return peer("LiteLLM", port, "/v1/chat/completions", "m", exec.Command(filepath.Join(root, "bin", "litellm"), "--config", config, "--host", "127.0.0.1", "--port", port))
}

// portkey is told the upstream by headers, which the load generator does not send; a small config stands for them.
func portkey(root, _, up string) (*results, func(), error) {
	port, err := freePort()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(filepath.Join(root, "node_modules", ".bin", "gateway"), "--port="+port)
	cmd.Env = append(os.Environ(), "PORTKEY_DEFAULT_PROVIDER=openai", "PORTKEY_DEFAULT_CUSTOM_HOST="+up+"/v1")
	return peer("Portkey", port, "/v1/chat/completions", "m", cmd)
}

func tensorzero(root, dir, up string) (*results, func(), error) {
	port, err := freePort()
	if err != nil {
		return nil, nil, err
	}
	config := filepath.Join(dir, "tensorzero.toml")
	text := "[gateway]\nbind_address = \"127.0.0.1:" + port + "\"\nobservability.enabled = false\n[models.m]\nrouting = [\"mock\"]\n[models.m.providers.mock]\ntype = \"openai\"\nmodel_name = \"m\"\napi_base = \"" + up + "/v1/\"\napi_key_location = \"none\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, nil, err
	}
	return peer("TensorZero", port, "/openai/v1/chat/completions", "tensorzero::model_name::m", exec.Command(filepath.Join(root, "bin", "gateway"), "--config-file", config))
}
