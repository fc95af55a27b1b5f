package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rating"
)

//go:embed page
var pages embed.FS

// largestBody is what a rating with its comment takes at most.
const largestBody = 64 << 10

// markdown leaves out HTML and links that would act: guidelines may come from a file of somebody else's.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table))

// Rating is the page on which one person rates.
func Rating(s *rating.Session) http.Handler {
	mux := http.NewServeMux()
	for path, file := range map[string][2]string{
		"GET /{$}":      {"page/rate.html", "text/html; charset=utf-8"},
		"GET /rate.css": {"page/rate.css", "text/css; charset=utf-8"},
		"GET /rate.js":  {"page/rate.js", "text/javascript; charset=utf-8"},
		"GET /label.js": {"page/label.js", "text/javascript; charset=utf-8"},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			content, err := pages.ReadFile(file[0])
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", file[1])
			_, _ = w.Write(content) // a browser that is gone wants nothing
		})
	}
	mux.HandleFunc("GET /guidelines", func(w http.ResponseWriter, _ *http.Request) {
		var page bytes.Buffer
		if err := markdown.Convert([]byte(s.Guidelines()), &page); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page.Bytes()) // a browser that is gone wants nothing
	})
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, r *http.Request) { answer(w)(s.State(r.Context())) })
	mux.HandleFunc("POST /rate", func(w http.ResponseWriter, r *http.Request) {
		var said rating.Said
		if err := read(w, r, &said); err != nil {
			answer(w)(nil, err)
			return
		}
		answer(w)(s.Rate(r.Context(), said))
	})
	mux.HandleFunc("POST /undo", func(w http.ResponseWriter, r *http.Request) { answer(w)(s.Undo(r.Context())) })
	mux.HandleFunc("POST /again", func(w http.ResponseWriter, r *http.Request) { answer(w)(s.Again(r.Context())) })
	return mux
}

// read takes a JSON body. A form of another site cannot send this content type without being asked first.
func read(w http.ResponseWriter, r *http.Request, into any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &rung.Error{Code: rung.CodeUsage, What: "the request is no JSON"}
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, largestBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return &rung.Error{Code: rung.CodeUsage, What: "the request cannot be read: " + err.Error(), Err: err}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return &rung.Error{Code: rung.CodeUsage, What: "the request holds more than one value"}
	}
	return nil
}

// statuses of what can go wrong on the page.
var statuses = map[rung.Code]int{
	rung.CodeUsage: http.StatusBadRequest, rung.CodeNotFound: http.StatusNotFound, rung.CodeConflict: http.StatusConflict, rung.CodeStore: http.StatusServiceUnavailable,
}

// problem is an error as the page shows it.
type problem struct {
	What string `json:"what"`
	Do   string `json:"do,omitempty"`
}

func answer(w http.ResponseWriter) func(*rating.State, error) {
	return func(state *rating.State, err error) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		enc := json.NewEncoder(w)
		if err == nil {
			_ = enc.Encode(state) // a browser that is gone wants nothing
			return
		}
		status, ok := statuses[rung.CodeOf(err)]
		if !ok {
			status = http.StatusInternalServerError
		}
		w.WriteHeader(status)
		out := problem{What: err.Error()}
		var e *rung.Error
		if errors.As(err, &e) {
			out = problem{e.What, e.Do}
		}
		_ = enc.Encode(out)
	}
}
