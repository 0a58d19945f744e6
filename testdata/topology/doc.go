// Package topology tests agents, load-balancing exporters and gateways with the
// connector collectiveskew together: the gateways once as components in the test's
// process, and once as two processes of the built Collector. It is a module of its
// own, so that what it needs is not in users' module graphs.
package topology
