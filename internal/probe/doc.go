// Package probe owns the catalogue of traced functions, as data: for each its
// symbol, class, layer and where its arguments are. It attaches nothing and
// reads nothing.
package probe
