package main

import "sync"

// maxKnown bounds the memory for ids of records: some tens of megabytes.
const maxKnown = 200_000

// name is what an association calls a record by: a value of a property.
type name struct{ object, property, value string }

// known remembers HubSpot's ids of records that were written, so that those that
// are associated with them need not be looked up. An id may be of a record that
// was deleted since: then HubSpot says so.
type known struct {
	mu       sync.Mutex
	ids      map[name]string
	unlinked map[name]written
}

// written is a version of a record that HubSpot has, and under which id.
type written struct {
	id      string
	version int64
}

// owe notes that a record was written and its associations were not made: the next
// try makes them without writing it again.
func (k *known) owe(n name, w written) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.unlinked == nil || len(k.unlinked) >= maxKnown {
		k.unlinked = map[name]written{}
	}
	k.unlinked[n] = w
}

// owed returns the id of a record of which only associations are missing, and
// forgets that.
func (k *known) owed(n name, version int64) (id string, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w, ok := k.unlinked[n]
	delete(k.unlinked, n)
	return w.id, ok && w.version == version
}

func (k *known) get(n name) (id string, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id, ok = k.ids[n]
	return id, ok
}

func (k *known) put(n name, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ids == nil || len(k.ids) >= maxKnown {
		k.ids = map[name]string{}
	}
	k.ids[n] = id
}

func (k *known) forget(n name) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.ids, n)
}

// remember notes the id of an item for the associations that lead to it.
func (w *writing) remember(it *item, id string) {
	for _, a := range w.client.options.Associations {
		if value := it.properties[a.ToProperty]; a.To == w.batch.Object && value != "" {
			w.known.put(name{a.To, a.ToProperty, value}, id)
		}
	}
}

// forget is for items that are to be archived: they have no properties, but their
// key may be what others name them by.
func (w *writing) forget(it *item) {
	w.known.forget(name{w.batch.Object, w.key, it.id})
}
