package engine

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrEnded says that the engine has closed its end.
var ErrEnded = errors.New("the engine has ended")

// Link is the API server's end of the socket to an engine. Add, Abort and Fault may
// be called by any goroutine, the rest by one.
type Link struct {
	conn   net.Conn
	reader *bufio.Reader
	mu     sync.Mutex // of writing
}

// NewLink takes over the file, which is a connected stream socket.
func NewLink(file *os.File) (*Link, error) {
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("opening the socket to the engine: %w", err)
	}
	return &Link{conn: conn, reader: bufio.NewReader(conn)}, nil
}

// Ready returns when the engine takes requests.
func (l *Link) Ready() error {
	line, err := l.read()
	if err == nil && line != "ready" {
		err = fmt.Errorf("want ready, got %q", line)
	}
	return err
}

// Tokens calls deliver for every token until the engine ends or says something
// that is none.
func (l *Link) Tokens(deliver func(Token)) error {
	for {
		line, err := l.read()
		if err != nil {
			return err
		}
		words, found := strings.CutPrefix(line, "out ")
		if !found {
			return fmt.Errorf("reading from the engine: unknown line %q", line)
		}
		token, err := readToken(words)
		if err != nil {
			return err
		}
		deliver(token)
	}
}

func (l *Link) read() (string, error) {
	line, err := l.reader.ReadString('\n')
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) { // at its own will, or not
		return "", ErrEnded
	}
	if err != nil {
		return "", fmt.Errorf("reading from the engine: %w", err)
	}
	return strings.TrimSuffix(line, "\n"), nil
}

// Add asks for the sequence's tokens.
func (l *Link) Add(s Sequence) error { return l.write(s.line()) }

// Abort asks for no more tokens of the sequence; some may still come.
func (l *Link) Abort(id string) error { return l.write("abort " + id + "\n") }

// Fault asks for a fault that the engine was started with.
func (l *Link) Fault(name string, length time.Duration) error {
	return l.write(fmt.Sprintf("fault %s %d\n", name, length.Nanoseconds()))
}

func (l *Link) write(line string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := io.WriteString(l.conn, line); err != nil {
		return fmt.Errorf("writing to the engine: %w", err)
	}
	return nil
}

// Close makes the engine end.
func (l *Link) Close() error { return l.conn.Close() }
