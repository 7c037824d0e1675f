package sandbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Webhook is a configured webhook, as RootFi's API shows it.
type Webhook struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	URL        string            `json:"url"`
	Type       string            `json:"type"`
	Operations []string          `json:"operations"`
	DataModels []string          `json:"data_models"`
	Headers    map[string]string `json:"headers"`
	CreatedAt  string            `json:"created_at"`
}

// validate reports what RootFi would refuse.
func (w *Webhook) validate() error {
	u, err := url.Parse(w.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("url: give an http or https URL")
	case w.Name == "":
		return errors.New("name: give the webhook a name")
	case !slices.Contains([]string{DataModelChanges, SyncCompleted, ConnectionChanged}, w.Type):
		return fmt.Errorf("type: use %s, %s or %s", DataModelChanges, SyncCompleted, ConnectionChanged)
	}
	for _, op := range w.Operations {
		if op != opCreate && op != opUpdate && op != opDelete {
			return fmt.Errorf("operations: unknown operation %q", op)
		}
	}
	return nil
}

// wants reports whether the event passes the webhook's filters. An empty filter
// passes everything.
func (w *Webhook) wants(ev *Event) bool {
	if w.Type != ev.Type {
		return false
	}
	if ev.Type != DataModelChanges {
		return true
	}
	return (len(w.Operations) == 0 || slices.Contains(w.Operations, ev.Operation)) &&
		(len(w.DataModels) == 0 || slices.Contains(w.DataModels, ev.Model))
}

// hooks is the list of configured webhooks.
type hooks struct {
	mu   sync.Mutex
	list []Webhook
}

func (h *hooks) all() []Webhook {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.list)
}

func (h *hooks) add(w Webhook, now time.Time) (Webhook, error) {
	if err := w.validate(); err != nil {
		return Webhook{}, err
	}
	w.ID = rand.Text()[:20]
	w.CreatedAt = now.UTC().Format(stampLayout)
	w.fill()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, w)
	return w, nil
}

// fill makes absent lists empty rather than null.
func (w *Webhook) fill() {
	if w.Operations == nil {
		w.Operations = []string{}
	}
	if w.DataModels == nil {
		w.DataModels = []string{}
	}
	w.Headers = maps.Clone(w.Headers)
	if w.Headers == nil {
		w.Headers = map[string]string{}
	}
}

// replace changes the webhook with the id and reports whether there is one.
func (h *hooks) replace(id string, w Webhook) (Webhook, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.list, func(k Webhook) bool { return k.ID == id })
	if i < 0 {
		return Webhook{}, false, nil
	}
	if err := w.validate(); err != nil {
		return Webhook{}, true, err
	}
	w.ID, w.CreatedAt = id, h.list[i].CreatedAt
	w.fill()
	h.list[i] = w
	return w, true, nil
}

func (h *hooks) remove(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := len(h.list)
	h.list = slices.DeleteFunc(h.list, func(w Webhook) bool { return w.ID == id })
	return len(h.list) < before
}

// router sends an event to every webhook that is configured now and wants it.
func (h *hooks) router() func(*Event) []*Target {
	var list []Webhook
	var targets []*Target
	for _, w := range h.all() {
		list = append(list, w)
		targets = append(targets, &Target{URL: w.URL, Headers: w.Headers})
	}
	return func(ev *Event) []*Target {
		var out []*Target
		for i := range list {
			if list[i].wants(ev) {
				out = append(out, targets[i])
			}
		}
		return out
	}
}
