package processcontext

import (
	"encoding/binary"
	"os"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/target"
)

// publisher publishes contexts of this very process.
type publisher struct {
	mapping []byte
}

const page = 4096

// newPublisher maps a file in memory of that name.
func newPublisher(t *testing.T, name string) *publisher {
	t.Helper()
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, unix.Ftruncate(fd, page))
	mapping, err := unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Munmap(mapping) })
	return &publisher{mapping: mapping}
}

// publish writes a context, with its payload behind the header; at is the time that it tells.
func (p *publisher) publish(at uint64, payload message) {
	p.write(at, func() {
		copy(p.mapping[headerSize:], payload)
		p.point(uint32(len(payload)), uint64(uintptr(unsafe.Pointer(&p.mapping[headerSize]))))
	})
}

// write has the context changed as the protocol wants it.
func (p *publisher) write(at uint64, change func()) {
	published := (*uint64)(unsafe.Pointer(&p.mapping[16]))
	atomic.StoreUint64(published, 0)
	copy(p.mapping, signature)
	binary.NativeEndian.PutUint32(p.mapping[8:], version)
	change()
	atomic.StoreUint64(published, at)
}

func (p *publisher) point(size uint32, payload uint64) {
	binary.NativeEndian.PutUint32(p.mapping[12:], size)
	binary.NativeEndian.PutUint64(p.mapping[24:], payload)
}

func self() event.PID { return event.PID(os.Getpid()) }

func TestRead(t *testing.T) {
	c, err := Read("/proc", self())
	require.NoError(t, err)
	assert.Equal(t, Context{}, c, "nothing is published")

	p := newPublisher(t, "OTEL_CTX")
	p.publish(1, of(pair("service.name", text("trainer"))))
	c, err = Read("/proc", self())
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"service.name": "trainer"}, c.Resource)

	p.publish(2, of(pair("service.name", text("trainer")), pair("service.instance.id", text("7"))))
	c, err = Read("/proc", self())
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"service.name": "trainer", "service.instance.id": "7"}, c.Resource)
}

func TestOtherMappingsOfTheNameAreSkipped(t *testing.T) {
	newPublisher(t, "OTEL_CTX_IS_MINE")
	p := newPublisher(t, "OTEL_CTX")
	newPublisher(t, "OTEL_CTX")
	p.publish(1, of(pair("a", text("b"))))
	c, err := Read("/proc", self())
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"a": "b"}, c.Resource)
}

func TestLyingHeaders(t *testing.T) {
	p := newPublisher(t, "OTEL_CTX")
	for name, lie := range map[string]struct {
		size    uint32
		payload uint64
		want    error
	}{
		"payload nowhere":           {100, 0xdead0000, ErrMalformed},
		"payload in the kernel":     {100, 0xffffffff81000000, ErrMalformed},
		"payload around the corner": {100, ^uint64(0) - 7, ErrMalformed},
		"payload at the last page":  {page, uint64(uintptr(unsafe.Pointer(&p.mapping[page-1]))), ErrMalformed},
		"payload too large":         {1 << 31, 0x10000, ErrMalformed},
		"payload is the header":     {headerSize, uint64(uintptr(unsafe.Pointer(&p.mapping[0]))), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			p.write(1, func() { p.point(lie.size, lie.payload) })
			c, err := Read("/proc", self())
			require.ErrorIs(t, err, lie.want)
			assert.Equal(t, Context{}, c)
		})
	}
	p.write(0, func() {})
	_, err := Read("/proc", self())
	require.ErrorIs(t, err, ErrUpdating)
}

// Whatever is read while a process updates its context is one of those that it published.
func TestReadsAreConsistent(t *testing.T) {
	p := newPublisher(t, "OTEL_CTX")
	versions := []message{
		of(pair("service.name", text("a")), pair("service.instance.id", text("a"))),
		of(pair("service.instance.id", text("a much longer one")), pair("service.name", text("a much longer one"))),
	}
	p.publish(1, versions[0])
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for at := uint64(2); ; at++ {
			select {
			case <-stop:
				return
			default:
				p.publish(at, versions[at%2])
			}
		}
	}()
	reads := 0
	for range 2000 {
		c, err := Read("/proc", self())
		if err != nil {
			require.ErrorIs(t, err, ErrUpdating)
			continue
		}
		reads++
		require.Equal(t, c.Resource["service.name"], c.Resource["service.instance.id"])
	}
	close(stop)
	<-done
	require.NotZero(t, reads)
}

func TestGoneProcess(t *testing.T) {
	_, err := Read(t.TempDir(), 1)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.False(t, target.Is(t.TempDir(), event.ProcessID{PID: 1}))
}
