package tree

// Style says how a tree is written.
type Style struct {
	Colour bool
	Width  int  // columns; 0 is 120
	Stacks bool // show the innermost frames of Linux kernel stacks
	Keep   int  // like spans beside each other to show before folding; 0 is 3
}

// Defaults of [Style].
const (
	defaultWidth = 120
	defaultKeep  = 3
)

func (s Style) width() int {
	if s.Width <= 0 {
		return defaultWidth
	}
	return s.Width
}

func (s Style) keep() int {
	if s.Keep <= 0 {
		return defaultKeep
	}
	return s.Keep
}

// colour is an escape sequence of ECMA-48, "select graphic rendition".
type colour string

const (
	bold   colour = "\x1b[1m"
	faint  colour = "\x1b[2m"
	red    colour = "\x1b[31m"
	yellow colour = "\x1b[33m"
	cyan   colour = "\x1b[36m"
	plain  colour = ""
	reset         = "\x1b[0m"
)

func (s Style) paint(c colour, words string) string {
	if !s.Colour || c == plain || words == "" {
		return words
	}
	return string(c) + words + reset
}

// colourOf marks waiting for others, waiting for a CPU, and failure.
func colourOf(node *Node) colour {
	attributes := node.Span.Attributes()
	if text(attributes, "error.type") != "" {
		return red
	}
	switch text(attributes, attrOffCPUKind) {
	case "blocked":
		return red
	case "runnable":
		return yellow
	default:
		return cyan
	}
}
