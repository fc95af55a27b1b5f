package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// side is one of those that are measured.
type side struct {
	name  string
	url   string // of the chat completions
	model string
	key   string
	peer  bool   // a gateway of others: what it cannot do is shown and ends nothing
	extra string // header lines of its own, each ended by CRLF
	pid   int    // 0: the upstream itself
}

// measured is what one measurement of one side gave.
type measured struct {
	rps      float64
	p50, p99 time.Duration
	failed   int
}

const question = `{"model":%q,"messages":[{"role":"system","content":"You answer questions of customers of a parcel service, in two sentences at most, friendly and to the point."},{"role":"user","content":"Hello, I ordered a lamp last week and have not heard anything since. Can you tell me where my parcel is and when it will be here? My order has the number 4711."}],"max_tokens":100,"temperature":0%s}`

// request is the bytes of a whole request, made once: the load generator must cost little, since it shares the processors.
func (s *side) request(more string) ([]byte, string, error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return nil, "", err
	}
	body := fmt.Sprintf(question, s.model, more)
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nUser-Agent: load\r\n%sContent-Length: %d\r\n\r\n", u.RequestURI(), u.Host, s.key, s.extra, len(body))
	return []byte(head + body), u.Host, nil
}

// load asks as fast as answers come, over so many connections.
func load(s *side, connections int, length time.Duration) (measured, error) {
	req, host, err := s.request("")
	if err != nil {
		return measured{}, err
	}
	var mu sync.Mutex
	var all []time.Duration
	var failed int
	var firstErr error
	until := time.Now().Add(length)
	start := time.Now()
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			times, bad, err := ask(host, req, until, s.name == "rung")
			mu.Lock()
			defer mu.Unlock()
			all = append(all, times...)
			failed += bad
			if err != nil && firstErr == nil {
				firstErr = err
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	if firstErr != nil {
		return measured{}, fmt.Errorf("%s: %w", s.name, firstErr)
	}
	slices.Sort(all)
	if len(all) == 0 {
		return measured{}, fmt.Errorf("%s: no answers", s.name)
	}
	return measured{rps: float64(len(all)) / took.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100], failed: failed}, nil
}

// asked counts rung's requests.
var asked atomic.Int64

func ask(host string, req []byte, until time.Time, counted bool) (times []time.Duration, failed int, err error) {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 16<<10)
	for {
		start := time.Now()
		if start.After(until) {
			return times, failed, nil
		}
		if err := conn.SetDeadline(start.Add(30 * time.Second)); err != nil {
			return times, failed, err
		}
		if _, err := conn.Write(req); err != nil {
			return times, failed, err
		}
		status, err := readAnswer(r)
		if err != nil {
			return times, failed, err
		}
		if counted {
			asked.Add(1)
		}
		if status != 200 {
			failed++
			continue
		}
		times = append(times, time.Since(start))
	}
}

var errAnswer = errors.New("an answer that is no HTTP")

// readAnswer reads an answer with a length or in chunks.
func readAnswer(r *bufio.Reader) (status int, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, errAnswer
	}
	if status, err = strconv.Atoi(line[9:12]); err != nil {
		return 0, errAnswer
	}
	length := -1
	for {
		if line, err = r.ReadString('\n'); err != nil {
			return 0, err
		}
		if line == "\r\n" {
			break
		}
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "content-length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return 0, errAnswer
			}
		}
	}
	if length >= 0 {
		_, err = r.Discard(length)
		return status, err
	}
	return status, discardChunks(r)
}

func discardChunks(r *bufio.Reader) error {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			return errAnswer
		}
		if _, err := r.Discard(int(n) + 2); err != nil || n == 0 {
			return err
		}
	}
}

// firstToken is the median time from the request to the first event of a stream, over n streams one after another, and how many
// of them broke off.
func firstToken(s *side, n int) (median time.Duration, broken int, err error) {
	req, host, err := s.request(`,"stream":true`)
	if err != nil {
		return 0, 0, err
	}
	var times []time.Duration
	var conn net.Conn
	var r *bufio.Reader
	for range n {
		if conn == nil {
			if conn, err = net.Dial("tcp", host); err != nil {
				return 0, broken, err
			}
			r = bufio.NewReaderSize(conn, 16<<10)
		}
		first, err := oneStream(conn, r, req)
		if s.name == "rung" {
			asked.Add(1)
		}
		if err != nil {
			broken++
			_ = conn.Close() // it is broken already
			conn = nil
			continue
		}
		times = append(times, first)
	}
	if conn != nil {
		_ = conn.Close() // everything was read
	}
	if len(times) == 0 {
		if s.peer {
			return 0, broken, nil
		}
		return 0, broken, fmt.Errorf("%s: no stream came to its end", s.name)
	}
	slices.Sort(times)
	return times[len(times)/2], broken, nil
}

func oneStream(conn net.Conn, r *bufio.Reader, req []byte) (first time.Duration, err error) {
	start := time.Now()
	if err := conn.SetDeadline(start.Add(30 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := conn.Write(req); err != nil {
		return 0, err
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if strings.HasPrefix(line, "data:") && strings.Contains(line, "word") {
			break
		}
	}
	first = time.Since(start)
	return first, toEnd(r)
}

// toEnd reads a stream up to its last chunk.
func toEnd(r *bufio.Reader) error {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if line == "0\r\n" {
			_, err = io.ReadFull(r, make([]byte, 2))
			return err
		}
	}
}
