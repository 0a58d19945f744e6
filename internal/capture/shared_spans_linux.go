//go:build amd64 || arm64

package capture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// The map by which observers tell each other which span a thread is in (OTEP
// 4855): value by pid_tgid. Whoever comes first makes and pins it; nobody unpins it.
const (
	sharedSpansFolder  = "otel"
	sharedSpansName    = "traces_ctx_v1"
	sharedSpansKey     = 8
	sharedSpansValue   = 16 + 8 // trace id, span id
	sharedSpansEntries = 1 << 14
)

// Errors of the shared map that say what to do.
var (
	errNoBPFFS   = errors.New("not a BPF file system: run: mount -t bpf bpf")
	errOtherMap  = errors.New("another kind of map is there")
	errForbidden = errors.New("permission denied: run the Collector as root, or let its user in, or turn trace_context::shared_map off")
)

// openSharedSpans returns the shared map of a BPF file system, made and pinned
// where it is not there yet. Closing it leaves it pinned.
func openSharedSpans(bpffs string) (*ebpf.Map, error) {
	path := filepath.Join(bpffs, sharedSpansFolder, sharedSpansName)
	if err := checkBPFFS(bpffs); err != nil {
		return nil, err
	}
	m, err := loadSharedSpans(path)
	if errors.Is(err, os.ErrNotExist) {
		m, err = pinSharedSpans(path)
	}
	if errors.Is(err, os.ErrExist) { // another one was faster
		m, err = loadSharedSpans(path)
	}
	if errors.Is(err, os.ErrPermission) {
		err = errForbidden
	}
	if err != nil {
		return nil, fmt.Errorf("opening shared map %s: %w", path, err)
	}
	return m, nil
}

func checkBPFFS(path string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return fmt.Errorf("looking at BPF file system %s: %w", path, err)
	}
	if fs.Type != unix.BPF_FS_MAGIC {
		return fmt.Errorf("looking at %s: %w %s", path, errNoBPFFS, path)
	}
	return nil
}

// loadSharedSpans opens the map to look things up in it only.
func loadSharedSpans(path string) (*ebpf.Map, error) {
	m, err := ebpf.LoadPinnedMap(path, &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	if m.Type() != ebpf.LRUHash || m.KeySize() != sharedSpansKey || m.ValueSize() != sharedSpansValue {
		found := fmt.Sprintf("%s, key %d, value %d bytes", m.Type(), m.KeySize(), m.ValueSize())
		_ = m.Close()
		return nil, fmt.Errorf("%w: %s, instead of %s, key %d, value %d bytes; end what made it and remove it, or turn trace_context::shared_map off",
			errOtherMap, found, ebpf.LRUHash, sharedSpansKey, sharedSpansValue)
	}
	return m, nil
}

// pinSharedSpans makes the map. It is an os.ErrExist where one is there by now.
func pinSharedSpans(path string) (*ebpf.Map, error) {
	if err := os.Mkdir(filepath.Dir(path), os.ModeSticky|0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: sharedSpansName, Type: ebpf.LRUHash,
		KeySize: sharedSpansKey, ValueSize: sharedSpansValue, MaxEntries: sharedSpansEntries,
	})
	if err != nil {
		return nil, err
	}
	if err := m.Pin(path); err != nil {
		_ = m.Close()
		return nil, err
	}
	return m, nil
}

// share makes the programs of spec look in m, whatever its size.
func share(spec *ebpf.CollectionSpec, m *ebpf.Map) map[string]*ebpf.Map {
	if m == nil {
		return nil
	}
	spec.Maps[sharedSpansName].MaxEntries = m.MaxEntries()
	spec.Maps[sharedSpansName].Flags = m.Flags()
	return map[string]*ebpf.Map{sharedSpansName: m}
}
