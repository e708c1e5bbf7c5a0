// Command words prints the words of its input with how often each occurs, the most frequent first.
package main

import (
	"bufio"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
)

type count struct {
	word  string
	times int
}

func countWords(input io.Reader) ([]count, error) {
	times := map[string]int{}
	scanner := bufio.NewScanner(input)
	scanner.Split(bufio.ScanWords)
	for scanner.Scan() {
		times[strings.ToLower(scanner.Text())]++
	}
	counts := make([]count, 0, len(times))
	for word, n := range times {
		counts = append(counts, count{word, n})
	}
	sort.Slice(counts, func(i, j int) bool {
		if counts[i].times != counts[j].times {
			return counts[i].times > counts[j].times
		}
		return counts[i].word < counts[j].word
	})
	return counts, scanner.Err()
}

func main() {
	counts, err := countWords(os.Stdin)
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	for _, c := range counts {
		os.Stdout.WriteString(c.word + " " + strconv.Itoa(c.times) + "\n")
	}
}
