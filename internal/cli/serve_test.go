package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/store"
)

// served runs rung serve --json until stop, and gives where it listens.
func served(t *testing.T, args ...string) (url string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- Main(ctx, append([]string{"serve", "--json", "--listen", "127.0.0.1:0"}, args...), Streams{In: strings.NewReader(""), Out: in, Err: os.Stderr})
		in.Close()
	}()
	var d serveDocument
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&d); err != nil {
		cancel()
		t.Fatalf("it does not listen: %v, status %d", err, <-status)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return d.URL, func() int { cancel(); return <-status }
}

func askChat(t *testing.T, url, model, text string, headers ...string) (status int, answer string, header http.Header) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"model": model, "messages": []map[string]string{{"role": "user", "content": text}}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/chat/completions", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var v struct {
		Choices []struct{ Message struct{ Content string } }
		Error   struct{ Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	if len(v.Choices) == 1 {
		return resp.StatusCode, v.Choices[0].Message.Content, resp.Header
	}
	return resp.StatusCode, v.Error.Message, resp.Header
}

// TestServeAnswersAsTheClimbDid goes the whole way: climb, release, serve. A request for a held-out input is, byte for byte, one that
// the climb sent while it scored, and its trace is there when the gateway has stopped.
func TestServeAnswersAsTheClimbDid(t *testing.T) {
	t.Setenv("RUNG_DATABASE_URL", "")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("GIT_CEILING_DIRECTORIES", os.TempDir())
	var mu sync.Mutex
	var sent []string
	serve(t, func(c modeltest.Call) modeltest.Reply {
		mu.Lock()
		sent = append(sent, string(c.Body))
		mu.Unlock()
		return knows(c)
	})
	file := writeTask(t, "")
	doc := climbJSON(t, file)
	dir := filepath.Join(filepath.Dir(file), storeName)
	t.Chdir(filepath.Dir(file))
	released(t, "--production")
	climbed := map[string]bool{}
	for _, body := range sent {
		climbed[body] = true
	}
	sent = nil
	url, stop := served(t)
	for _, word := range words {
		status, answer, header := askChat(t, url, "words", word)
		if status != 200 || answer != truth(word) || header.Get("X-Rung-Release") != "words@v1" {
			t.Errorf("%s: status %d, %q from %s", word, status, answer, header.Get("X-Rung-Release"))
		}
	}
	same := 0
	for _, body := range sent {
		if climbed[body] {
			same++
		}
	}
	if len(sent) != len(words) || same < doc.Heldout.N {
		t.Errorf("%d of %d served requests were sent by the climb, which scored %d held-out inputs", same, len(sent), doc.Heldout.N)
	}
	status, key, errText := rungOut(t, "keys", "add", "web", "--rpm", "600", "--expires", "90d")
	if key = strings.TrimSpace(key); status != 0 || !strings.HasPrefix(key, "rk_") {
		t.Fatalf("status %d, %q, %s", status, key, errText)
	}
	for deadline := time.Now().Add(5 * time.Second); ; <-time.After(5 * time.Millisecond) {
		if status, _, _ := askChat(t, url, "words", "anchor"); status == 401 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a key is in the store and none is asked for")
		}
	}
	if status, answer, _ := askChat(t, url, "words@v1", "anchor", "Authorization", "Bearer "+key); status != 200 {
		t.Errorf("with the key: %d %s", status, answer)
	}
	if status := stop(); status != 0 {
		t.Errorf("rung serve ended with %d", status)
	}
	st, err := openServing(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	kept := 0
	for tr, err := range st.Traces(t.Context(), store.TraceFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if tr.Task == "words" && tr.Status == 200 {
			kept++
		}
	}
	if kept < len(words)+1 {
		t.Errorf("%d traces", kept)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "serving.db")); err == nil && strings.Contains(string(b), key) {
		t.Error("the key itself is on the disk")
	}
}

func TestKeysCommands(t *testing.T) {
	climbed(t)
	for _, args := range [][]string{{"keys", "add", "a", "--scopes", "all"}, {"keys", "add", "a", "--expires", "yesterday"}, {"keys", "add", "a", "--expires", "2001-01-01"}, {"keys", "add", "a", "--rpm", "-1"}, {"keys", "add"}} {
		if status, out, _ := rungOut(t, args...); status != 2 || strings.Contains(out, "rk_") {
			t.Errorf("%v: status %d, %q", args, status, out)
		}
	}
	var made keyDocument
	decodeJSON(t, &made, "keys", "add", "a", "--json", "--groups", "staff,board", "--tasks", "words", "--budget", "5")
	if made.Key == "" || len(made.Groups) != 2 || made.BudgetUSD != 5 {
		t.Errorf("%+v", made)
	}
	if status, _, _ := rungOut(t, "keys", "add", "a"); status != 8 {
		t.Errorf("a name twice: status %d", status)
	}
	if status, out, _ := rungOut(t, "keys", "list"); status != 0 || !strings.Contains(out, "staff,board") || strings.Contains(out, made.Key) {
		t.Errorf("status %d, %s", status, out)
	}
	if status, _, said := rungOut(t, "keys", "add", "b", "--tasks", "words,wrods,openai/*"); status != 0 || !strings.Contains(said, `task "wrods"`) || strings.Contains(said, "openai") {
		t.Errorf("status %d, %s", status, said)
	}
	if status, _, said := rungOut(t, "keys", "revoke", "b"); status != 0 || strings.Contains(said, "last valid key") {
		t.Errorf("revoke: status %d, %s", status, said)
	}
	if status, _, said := rungOut(t, "keys", "revoke", "a"); status != 0 || !strings.Contains(said, "last valid key") {
		t.Errorf("revoke of the last: status %d, %s", status, said)
	}
	if status, _, _ := rungOut(t, "keys", "revoke", "a"); status != 7 {
		t.Errorf("revoked twice: status %d", status)
	}
}
