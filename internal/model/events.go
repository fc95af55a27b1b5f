package model

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxEvent bounds one line of a stream of events.
const maxEvent = 1 << 20

// ErrStreamEnded says that a stream stopped before its last event.
var ErrStreamEnded = errors.New("the stream ended before the answer was whole")

var errEventTooLarge = errors.New("an event of the stream is longer than 1 MiB")

// ReadEvents reads server-sent events and gives each event's name (empty where it has none) and data, until the stream ends or
// each returns an error, which ReadEvents returns. Both slices are valid during the call only. Several data lines of one event are
// given one by one: no model server splits its JSON over lines.
func ReadEvents(r io.Reader, each func(name, data []byte) error) error {
	lines := bufio.NewReaderSize(r, 32<<10)
	var name []byte
	for {
		line, err := readLine(lines)
		if len(line) == 0 && err == nil { // the end of an event
			name = name[:0]
			continue
		}
		if field, ok := bytes.CutPrefix(line, []byte("event:")); ok {
			name = append(name[:0], bytes.TrimSpace(field)...)
		} else if field, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			if err := each(name, bytes.TrimPrefix(field, []byte(" "))); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readLine gives a line without its end. It is valid until the next call.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err == nil || !errors.Is(err, bufio.ErrBufferFull) {
		return bytes.TrimRight(line, "\r\n"), err
	}
	long := bytes.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		if len(long) > maxEvent {
			return nil, errEventTooLarge
		}
		line, err = r.ReadSlice('\n')
		long = append(long, line...)
	}
	return bytes.TrimRight(long, "\r\n"), err
}
