package collective

import (
	"fmt"
	"strings"
)

// Range is a run of rank numbers, both ends included.
type Range struct{ First, Last int32 }

// Ranges returns rising numbers as ranges.
func Ranges(numbers []int32) []Range {
	var ranges []Range
	for _, n := range numbers {
		if last := len(ranges) - 1; last >= 0 && ranges[last].Last == n-1 {
			ranges[last].Last = n
			continue
		}
		ranges = append(ranges, Range{n, n})
	}
	return ranges
}

// Gaps returns what is missing of the numbers below size. The numbers rise.
func Gaps(numbers []int32, size int32) []Range {
	var gaps []Range
	next := int32(0)
	for _, n := range numbers {
		if n > next {
			gaps = append(gaps, Range{next, n - 1})
		}
		next = n + 1
	}
	if next < size {
		gaps = append(gaps, Range{next, size - 1})
	}
	return gaps
}

// Remove returns ranges without rising numbers.
func Remove(ranges []Range, numbers []int32) []Range {
	var left []Range
	i := 0
	for _, r := range ranges {
		for ; i < len(numbers) && numbers[i] <= r.Last; i++ {
			if numbers[i] < r.First {
				continue
			}
			if numbers[i] > r.First {
				left = append(left, Range{r.First, numbers[i] - 1})
			}
			r.First = numbers[i] + 1
		}
		if r.First <= r.Last {
			left = append(left, r)
		}
	}
	return left
}

// Intersect returns those of rising numbers that are in ranges.
func Intersect(ranges []Range, numbers []int32) []Range {
	var in []int32
	i := 0
	for _, n := range numbers {
		for i < len(ranges) && ranges[i].Last < n {
			i++
		}
		if i < len(ranges) && ranges[i].First <= n {
			in = append(in, n)
		}
	}
	return Ranges(in)
}

// Count returns how many numbers are in ranges.
func Count(ranges []Range) int {
	n := 0
	for _, r := range ranges {
		n += int(r.Last-r.First) + 1
	}
	return n
}

// Numbers returns the first numbers in ranges, at most limit.
func Numbers(ranges []Range, limit int) []int32 {
	var numbers []int32
	for _, r := range ranges {
		for n := r.First; n <= r.Last; n++ {
			if len(numbers) == limit {
				return numbers
			}
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// maxShown is how many ranges are written out.
const maxShown = 16

// Show tells ranges, such as "rank 3" or "ranks 0-2, 4", in bounded length.
func Show(ranges []Range) string {
	var text strings.Builder
	if Count(ranges) == 1 {
		text.WriteString("rank ")
	} else {
		text.WriteString("ranks ")
	}
	for i, r := range ranges {
		if i == maxShown {
			fmt.Fprintf(&text, " and %d more", Count(ranges[i:]))
			break
		}
		if i > 0 {
			text.WriteString(", ")
		}
		fmt.Fprintf(&text, "%d", r.First)
		if r.Last > r.First {
			fmt.Fprintf(&text, "-%d", r.Last)
		}
	}
	return text.String()
}
