// Package topology tests agents, load-balancing exporters and gateways with the
// connector collectiveskew together. It is a module of its own, so that what it
// needs is not in users' module graphs.
package topology
