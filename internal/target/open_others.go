//go:build !linux

package target

import "errors"

func openMapping(string, Mapping) (*opened, error) {
	return nil, errors.New("opening mapping: only on Linux")
}
