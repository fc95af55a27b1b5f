// Package browsertest tries pages in a real Chromium.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// limit bounds everything that one test does in a browser.
const limit = 5 * time.Minute

// Start is a Chromium with a profile of its own, in a window of the given size; it ends with the test. The test is skipped where there is
// none.
func Start(t testing.TB, width, height int) context.Context {
	t.Helper()
	path := chromium()
	if path == "" {
		t.Skip("no Chromium on PATH; the page is not tried in a browser")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(width, height))
	ctx, cancelAll := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancelAll)
	ctx, cancelLimit := context.WithTimeout(ctx, limit)
	t.Cleanup(cancelLimit)
	ctx, cancelTab := chromedp.NewContext(ctx)
	t.Cleanup(cancelTab)
	return ctx
}

func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	return ""
}

// Log collects everything that a page complains about or asks for.
type Log struct {
	mu         sync.Mutex
	complaints []string
	requests   []string
}

// Listen begins to collect what the tab of ctx says.
func Listen(t testing.TB, ctx context.Context) *Log { //nolint:revive // the test comes first, as everywhere
	t.Helper()
	l := &Log{}
	if err := chromedp.Listen(ctx, l.hear); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *Log) hear(ev any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		l.complaints = append(l.complaints, fmt.Sprintf("console.%s %v", e.Type, e.Args))
	case *runtime.EventExceptionThrown:
		l.complaints = append(l.complaints, fmt.Sprintf("%s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *log.EventEntryAdded:
		l.complaints = append(l.complaints, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		l.requests = append(l.requests, e.Request.URL)
	}
}

// Complaints are what the page complained about so far.
func (l *Log) Complaints() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.complaints...)
}

// Requests are the addresses that the page asked for so far, its own first.
func (l *Log) Requests() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.requests...)
}

// Until waits for a condition. It asks by a timer: a browser that draws no frames would not ask at all.
func Until(condition string) chromedp.Action[chromedp.Void] {
	return chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingInterval(30*time.Millisecond), chromedp.WithPollingTimeout(2*time.Minute))
}

// Shoot keeps a picture of the whole page as NAME.png in the folder that RUNG_KEEP_PAGE names; without it nothing happens.
func Shoot(t testing.TB, ctx context.Context, name string) { //nolint:revive // as above
	t.Helper()
	dir := os.Getenv("RUNG_KEEP_PAGE")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}
