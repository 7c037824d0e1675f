package routing

import (
	"sync"

	"github.com/sluicehq/sluice/internal/event"
)

// cacheSize bounds the remembered answers. Company ids and models come from
// outside, so their number has no bound of its own.
const cacheSize = 4096

// cacheKey is everything an answer depends on.
type cacheKey struct {
	mode                                                  Mode
	kind                                                  event.Kind
	operation                                             event.Operation
	source, model, company, integration, status, syncType string
}

// cache remembers answers. The zero value is ready.
type cache struct {
	// mu is held for single map operations only.
	mu      sync.RWMutex
	answers map[cacheKey]*answer
}

func (c *cache) get(k cacheKey) (*answer, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out, ok := c.answers[k]
	return out, ok
}

// put remembers an answer. A full cache starts over: what is asked often is back
// at once, and nothing has to be counted.
func (c *cache) put(k cacheKey, out *answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil || len(c.answers) >= cacheSize {
		c.answers = make(map[cacheKey]*answer)
	}
	c.answers[k] = out
}
