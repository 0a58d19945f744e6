package tree

import (
	"cmp"
	"slices"
	"time"
)

// entry is a line of the tree: a node, or the rest of its like.
type entry struct {
	node  *Node
	more  int           // how many nodes this line stands for; 0 for one that is shown
	total time.Duration // their time in all
}

// likeness is what nodes beside each other have in common to be folded.
type likeness struct {
	name   string
	thread thread
}

// fold keeps the longest nodes of each kind, as many as keep, where they are;
// a line after the last of them stands for the rest. A node with children counts as
// longer than one without, as its story goes on.
func fold(nodes []*Node, keep int) []entry {
	kinds := make(map[likeness][]*Node)
	for _, node := range nodes {
		kinds[like(node)] = append(kinds[like(node)], node)
	}
	entries := make([]entry, 0, len(nodes))
	for _, node := range nodes {
		kind := kinds[like(node)]
		kept := longest(kind, keep)
		if slices.Contains(kept, node) {
			entries = append(entries, entry{node: node})
		}
		if node == kind[len(kind)-1] && len(kept) < len(kind) {
			entries = append(entries, rest(kind, kept))
		}
	}
	return entries
}

func like(node *Node) likeness { return likeness{name: node.Span.Name(), thread: node.thread()} }

// longest returns all nodes when only one would be left out: its line is no
// longer than the line that would stand for it.
func longest(nodes []*Node, keep int) []*Node {
	if len(nodes) <= keep+1 {
		return nodes
	}
	sorted := slices.Clone(nodes)
	slices.SortStableFunc(sorted, func(a, b *Node) int {
		return cmp.Or(cmp.Compare(min(len(b.Children), 1), min(len(a.Children), 1)), cmp.Compare(b.Duration(), a.Duration()))
	})
	return sorted[:keep]
}

func rest(nodes, kept []*Node) entry {
	e := entry{node: nodes[0]}
	for _, node := range nodes {
		if !slices.Contains(kept, node) {
			e.more++
			e.total += node.Duration()
		}
	}
	return e
}
