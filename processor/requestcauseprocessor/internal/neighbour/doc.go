// Package neighbour remembers which requests a group served lately, and says
// which of them were the most work while one of them waited for the GPU.
package neighbour
