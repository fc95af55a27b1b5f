package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rating"
)

// ask sends a request and gives its status, headers and body.
func ask(t *testing.T, method, url, body string, set map[string]string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range set {
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// TestOnlyThePageIsAnswered: other names for this machine, other sites, other tokens and other kinds of requests are refused, and leave
// nothing in the store.
func TestOnlyThePageIsAnswered(t *testing.T) {
	s := shelfOf(t, rating.Options{Kind: rung.Pairwise}, plainAnswer)
	url, _ := s.serve(t, "ada")
	host := strings.Split(strings.TrimPrefix(url, "http://"), "/")[0]
	origin := "http://" + host
	item := rating.Seat(s.q, 0)[0].Item
	rate := `{"item":"` + item + `","choice":"left"}`
	same := map[string]string{"Content-Type": "application/json", "Origin": origin}
	with := func(name, value string) map[string]string {
		out := map[string]string{"Content-Type": "application/json", "Origin": origin}
		out[name] = value
		return out
	}
	for name, c := range map[string]struct {
		method, path, body string
		head               map[string]string
		want               int
	}{
		"another site's name for this machine": {"GET", "state", "", map[string]string{"Host": "evil.example:80"}, 403},
		"another port":                         {"GET", "state", "", map[string]string{"Host": "127.0.0.1:1"}, 403},
		"another site":                         {"GET", "state", "", map[string]string{"Origin": "http://evil.example"}, 403},
		"another site, as the browser says":    {"GET", "state", "", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"a rating from another site":           {"POST", "rate", rate, with("Origin", "http://evil.example"), 403},
		"a rating from nowhere":                {"POST", "rate", rate, map[string]string{"Content-Type": "application/json"}, 403},
		"a rating from a hidden origin":        {"POST", "rate", rate, with("Origin", "null"), 403},
		"a form":                               {"POST", "rate", rate, with("Content-Type", "text/plain"), 400},
		"no JSON":                              {"POST", "rate", "{", same, 400},
		"more than one value":                  {"POST", "rate", rate + rate, same, 400},
		"a field that is not there":            {"POST", "rate", `{"rater":"ben"}`, same, 400},
		"another item":                         {"POST", "rate", `{"item":"x","choice":"left"}`, same, 400},
		"another choice":                       {"POST", "rate", `{"item":"` + item + `","choice":"both"}`, same, 400},
		"too large":                            {"POST", "rate", `{"comment":"` + strings.Repeat("x", 1<<17) + `"}`, same, 400},
		"another method":                       {"DELETE", "rate", "", same, 405},
		"another path":                         {"GET", "../../etc/passwd", "", nil, 404},
	} {
		if status, _, body := ask(t, c.method, url+c.path, c.body, c.head); status != c.want {
			t.Errorf("%s: status %d, want %d: %s", name, status, c.want, body)
		}
	}
	for _, path := range []string{"/", "/state", "/x/state", "//state"} {
		if status, _, _ := ask(t, "GET", origin+path, "", nil); status != 404 {
			t.Errorf("%s without the token: status %d", path, status)
		}
	}
	if rs := s.ratings(t); len(rs) != 0 {
		t.Errorf("refused requests left %+v", rs)
	}
	if status, _, body := ask(t, "POST", url+"rate", rate, same); status != 200 || len(s.ratings(t)) != 1 {
		t.Errorf("the page's own rating: status %d, %s", status, body)
	}
	if status, head, _ := ask(t, "GET", strings.Replace(url, "127.0.0.1", "localhost", 1), "", nil); status != 200 || !strings.HasPrefix(head.Get("Content-Security-Policy"), "default-src 'none'") || head.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, %v", status, head)
	}
}

// TestNothingNamesACandidate reads everything that the server sends while a whole seat is rated: no name, digest, example or mark of a
// check is in it.
func TestNothingNamesACandidate(t *testing.T) {
	s := shelfOf(t, rating.Options{Kind: rung.Pairwise, Checks: .4}, plainAnswer)
	url, _ := s.serve(t, "ada")
	var sent bytes.Buffer
	for _, path := range []string{"", "rate.css", "rate.js", "state"} {
		_, head, body := ask(t, "GET", url+path, "", nil)
		sent.WriteString(body)
		for _, values := range head {
			sent.WriteString(strings.Join(values, " "))
		}
	}
	origin := url[:strings.Index(url[7:], "/")+7]
	for _, a := range rating.Seat(s.q, 0) {
		status, _, body := ask(t, "POST", url+"rate", `{"item":"`+a.Item+`","choice":"tie"}`, map[string]string{"Content-Type": "application/json", "Origin": origin})
		if status != 200 {
			t.Fatal(body)
		}
		sent.WriteString(body)
		var state map[string]any
		if err := json.Unmarshal([]byte(body), &state); err != nil {
			t.Fatal(err)
		}
		if q, ok := state["question"].(map[string]any); ok {
			for _, known := range []string{"item", "place", "input", "answers"} {
				delete(q, known)
			}
			if len(q) > 0 {
				t.Errorf("a question says more than it must: %v", q)
			}
		}
	}
	forbidden := []string{secret, "secret-example", "gold", "repeat\"", "check\"", "swapped", "candidate"}
	for c := range s.q.Candidates {
		forbidden = append(forbidden, string(c), c.Short())
	}
	for _, word := range forbidden {
		if strings.Contains(strings.ToLower(sent.String()), word) {
			t.Errorf("%q is sent", word)
		}
	}
}

// TestPageHasTheReportsColours: both pages take their colours from the same variables.
func TestPageHasTheReportsColours(t *testing.T) {
	root := regexp.MustCompile(`(?s):root \{\n  color-scheme.*?\n  \}\n\}`)
	var found [2]string
	for i, name := range []string{"page/rate.css", "../report/page/page.css"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found[i] = string(root.Find(b)); found[i] == "" {
			t.Fatalf("%s has no colours", name)
		}
	}
	if found[0] != found[1] {
		t.Errorf("the colours differ:\n%s\n%s", found[0], found[1])
	}
}
