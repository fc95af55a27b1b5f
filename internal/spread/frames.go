package spread

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// What a frame is. python/spread/driver.py has the same letters.
const (
	frameJob    = 'J' // to the driver: where the cluster is, and which rung its workers must be
	frameHello  = 'H' // from the driver: the cluster; from a worker: its version
	frameSetup  = 'U' // what the next parts need
	frameMap    = 'M' // how many parts follow, and what they are
	framePart   = 'P'
	frameAnswer = 'R'
	frameDone   = 'D' // all answers were given
	frameLife   = 'B' // nothing new, but alive
	frameError  = 'E' // a fault, as JSON
)

// largestFrame bounds what is taken from another process.
const largestFrame = 1 << 30

func writeFrame(w io.Writer, kind byte, body []byte) error {
	if len(body) > largestFrame {
		return fmt.Errorf("a frame of %d bytes", len(body))
	}
	head := make([]byte, 5, 5+min(len(body), 1<<16))
	binary.BigEndian.PutUint32(head, uint32(len(body)))
	head[4] = kind
	if len(body) < 1<<16 {
		_, err := w.Write(append(head, body...))
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}

// readFrame reads the next frame; io.EOF between frames is their end.
func readFrame(r io.Reader) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > largestFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes", size)
	}
	// What is not there is not made room for.
	limited := &io.LimitedReader{R: r, N: int64(size)}
	body, err = io.ReadAll(limited)
	if err == nil && len(body) < int(size) {
		err = errors.New("a frame was cut off")
	}
	return head[4], body, err
}
