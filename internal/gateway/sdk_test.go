package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// sdkRig serves what the clients' scripts ask for, and gives a key.
func sdkRig(t *testing.T) (*rig, string) {
	key := ""
	call := candidate(rung.Output{Kind: rung.Tools, ToolsFrom: "functions"})
	call.Input = []rung.Field{{Name: "request", Type: "string"}, {Name: "functions", Type: "array"}}
	r := newRig(t, setup{config: "pass: [openai/*, anthropic/*]", script: sdkScript, prepare: func(r *rig) {
		r.release("talk", "v1", fixture{cand: candidate(textOut)})
		r.release("colours", "v1", fixture{cand: candidate(jsonOut)})
		r.release("call", "v1", fixture{cand: call})
		broken := candidate(jsonOut)
		broken.Model = "openai/broken"
		r.release("broken", "v1", fixture{cand: broken})
		key = r.key(rung.APIKey{ID: "1", Name: "sdk", Tasks: []string{"talk", "colours", "call", "broken", "openai/m", "openai/tools", "openai/embed", "anthropic/*"}})
	}})
	return r, key
}

// sdkScript answers as a model would: in rung's own form where a release asks, with tool calls where tools are passed through.
func sdkScript(c modeltest.Call) modeltest.Reply {
	switch {
	case c.Model == "broken":
		return modeltest.Reply{Text: "no JSON at all"}
	case c.Model == "tools":
		return modeltest.Reply{Calls: []modeltest.ToolCall{{Name: "weather", Arguments: `{"city": "Paris"}`}}}
	case strings.Contains(string(c.Body), "functions: [") && strings.Contains(c.Last(), "Paris"):
		return modeltest.Reply{Text: `{"name": "weather", "arguments": {"city": "Paris"}}`}
	case c.Last() == "sky":
		return modeltest.Reply{Text: `{"colour": "blue"}`}
	}
	return modeltest.Reply{Text: c.Last()}
}

// sdks is where the clients are installed; the test is skipped where they cannot be fetched.
func sdks(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join("..", "..", "scripts", "sdk.sh"))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 69 {
		t.Skipf("the package registries cannot be reached: %s", said.String())
	}
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	return strings.TrimSpace(string(out))
}

func TestOfficialClients(t *testing.T) {
	env := sdks(t)
	for name, command := range map[string][]string{
		"OpenAI Python":     {filepath.Join(env, "bin", "python"), "testdata/sdk/openai_client.py"},
		"Anthropic Python":  {filepath.Join(env, "bin", "python"), "testdata/sdk/anthropic_client.py"},
		"OpenAI JavaScript": {filepath.Join(env, "node"), "testdata/sdk/openai_client.mjs"},
	} {
		t.Run(name, func(t *testing.T) {
			r, key := sdkRig(t)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, command[0], command[1:]...)
			cmd.Env = append(os.Environ(), "GATEWAY="+r.url, "KEY="+key, "MODULES="+filepath.Join(env, "js"), "PYTHONDONTWRITEBYTECODE=1")
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.HasSuffix(string(out), "ok\n") {
				t.Errorf("%v\n%s\n%s", err, out, r.log)
			}
		})
	}
}

func TestOpenAIGo(t *testing.T) {
	r, key := sdkRig(t)
	client := openai.NewClient(option.WithBaseURL(r.url+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0))
	for _, model := range []string{"talk", "talk@v1", "openai/m"} {
		params := openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hello there you")}}
		done, err := client.Chat.Completions.New(t.Context(), params)
		if err != nil || done.Choices[0].Message.Content != "hello there you" {
			t.Fatalf("%s: %+v, %v", model, done, err)
		}
		stream := client.Chat.Completions.NewStreaming(t.Context(), params)
		all := openai.ChatCompletionAccumulator{}
		for stream.Next() {
			all.AddChunk(stream.Current())
		}
		if stream.Err() != nil || all.Choices[0].Message.Content != "hello there you" {
			t.Errorf("%s streamed: %+v, %v", model, all.Choices, stream.Err())
		}
		answer, err := client.Responses.New(t.Context(), responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("hello there you")}})
		if err != nil || answer.OutputText() != "hello there you" {
			t.Errorf("%s responses: %+v, %v", model, answer, err)
		}
	}
	params := openai.ChatCompletionNewParams{Model: "call", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("weather in Paris?")},
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{Name: "weather",
			Parameters: openai.FunctionParameters{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}}})}}
	done, err := client.Chat.Completions.New(t.Context(), params)
	if err != nil || len(done.Choices[0].Message.ToolCalls) != 1 || !json.Valid([]byte(done.Choices[0].Message.ToolCalls[0].Function.Arguments)) {
		t.Errorf("tools: %+v, %v", done, err)
	}
	_, err = client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "none", Messages: params.Messages})
	var e *openai.Error
	if !errors.As(err, &e) || e.StatusCode != 404 || e.Code != "model" {
		t.Errorf("an unknown model: %v", err)
	}
}
