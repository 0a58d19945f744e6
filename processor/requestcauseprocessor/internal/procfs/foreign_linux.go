package procfs

import (
	"os"
	"syscall"
)

// readForeign returns a small file in the file system of another process, or
// nothing. What is there may be anything: it is opened without waiting for it,
// not through a link, and read only where it is a regular file.
func readForeign(path string) string {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return ""
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return readAtMost(file, maxHostName)
}

// maxHostName is longer than any host's name, in bytes.
const maxHostName = 256
