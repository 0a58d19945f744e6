package verdict

import (
	"fmt"
	"strings"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

// maxTold is how many different calls are told of a desynchronized collective.
const maxTold = 8

// callsOf tells which ranks asked for what, such as "ranks 0-2, 4 called AllGather".
func callsOf(c *collective.Collective) []string {
	numbers := make([][]int32, len(c.Calls)+1)
	for i := range c.Ranks {
		call := min(int(c.Ranks[i].Call), len(c.Calls))
		numbers[call] = append(numbers[call], c.Ranks[i].Number)
	}
	var told []string
	for i := range c.Calls {
		if i == maxTold {
			break
		}
		told = append(told, collective.Show(collective.Ranges(numbers[i]))+" called "+c.Calls[i].String())
	}
	return told
}

func disagreement(c *collective.Collective, calls []string) string {
	text := fmt.Sprintf("ranks do not agree on %s: %s", number(c), strings.Join(calls, "; "))
	if more := len(c.Calls) - len(calls); more > 0 {
		text += fmt.Sprintf("; %d other calls", more)
	}
	return text
}

// title names a collective or pair, such as "AllReduce number 5 of 8 ranks".
func title(c *collective.Collective) string {
	if c.Pair.Is {
		return "Send " + number(c)
	}
	return fmt.Sprintf("%s %s of %d ranks", c.Operation(), number(c), c.Size)
}

func number(c *collective.Collective) string {
	if c.Pair.Is {
		return fmt.Sprintf("number %d from rank %d to rank %d", c.Sequence, c.Pair.Source, c.Pair.Destination)
	}
	return fmt.Sprintf("number %d", c.Sequence)
}
