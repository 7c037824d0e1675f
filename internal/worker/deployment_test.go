package worker

import (
	"testing"
	"time"
)

func TestTakeOver(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	created := map[string]time.Time{"v1": ago(48 * time.Hour), "v2": ago(time.Minute)}
	live := func(builds ...string) map[string]time.Time {
		out := make(map[string]time.Time)
		for _, b := range builds {
			out[b] = ago(30 * time.Second)
		}
		return out
	}
	for name, tt := range map[string]struct {
		build string
		s     standing
		want  bool
	}{
		"the first version of all":                   {"v1", standing{created: created, polled: live("v1")}, true},
		"the first, while instances without one run": {"v1", standing{created: created, polled: live("", "v1")}, true},
		"not known yet":                              {"v3", standing{created: created, polled: live("")}, false},
		"newer":                                      {"v2", standing{current: "v1", created: created, polled: live("v1", "v2")}, true},
		"current":                                    {"v2", standing{current: "v2", created: created, polled: live("v1", "v2")}, false},
		"older, started again beside the current one": {"v1", standing{current: "v2", created: created, polled: live("v1", "v2")}, false},
		"older, and nobody of the current is left":    {"v1", standing{current: "v2", created: created, polled: live("v1")}, true},
		"older, and the current died long ago": {"v1", standing{current: "v2", created: created,
			polled: map[string]time.Time{"v1": now, "v2": ago(5 * time.Minute)}}, true},
		"the current one was removed":                {"v1", standing{current: "v0", created: created, polled: live("v1", "v0")}, true},
		"no versions at all":                         {"", standing{}, false},
		"without a version beside the current one":   {"", standing{current: "v1", created: created, polled: live("", "v1")}, false},
		"without a version, and nobody else is left": {"", standing{current: "v1", created: created, polled: live("")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.s.takeOver(tt.build, now); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
