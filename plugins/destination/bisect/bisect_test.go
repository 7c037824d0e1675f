package bisect_test

import (
	"slices"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination/bisect"
)

func TestEach(t *testing.T) {
	for name, tt := range map[string]struct {
		n     int
		bad   []int
		calls int
	}{
		"nothing":     {0, nil, 0},
		"all good":    {100, nil, 1},
		"one, bad":    {1, []int{0}, 1},
		"one of two":  {2, []int{1}, 3},
		"one of many": {128, []int{77}, 15},
		"two of many": {128, []int{0, 127}, 27},
		"all bad":     {8, []int{0, 1, 2, 3, 4, 5, 6, 7}, 15},
	} {
		t.Run(name, func(t *testing.T) {
			items := make([]int, tt.n)
			for i := range items {
				items[i] = i
			}
			var good, bad []int
			calls := 0
			bisect.Each(items, func(part []int) bool {
				calls++
				if slices.ContainsFunc(part, func(i int) bool { return slices.Contains(tt.bad, i) }) {
					if len(part) == 1 {
						bad = append(bad, part...)
					}
					return true
				}
				good = append(good, part...)
				return false
			})
			if calls != tt.calls || !slices.Equal(bad, tt.bad) || len(good)+len(bad) != tt.n || !slices.IsSorted(good) {
				t.Errorf("%d calls, want %d; bad %v, good %v", calls, tt.calls, bad, good)
			}
		})
	}
}
