package sqlite

import (
	"context"
	"fmt"
	"sync"

	"github.com/sluicehq/sluice/internal/event"
)

// ids are what the state writer remembers of the names and scopes tables. Only
// its goroutine uses them, and a rollback empties them: a number that was given
// out in a lost transaction may be given to another name.
type ids struct {
	names  map[string]int64
	scopes map[event.RecordKey]int64
}

// maxScopes bounds the memory for scopes; there is one per company and model.
const maxScopes = 1 << 17

func (i *ids) forget() { i.names, i.scopes = nil, nil }

func (i *ids) name(c *conn, name string) (int64, error) {
	if id, ok := i.names[name]; ok {
		return id, nil
	}
	var id int64
	found, err := c.one(context.Background(), `SELECT id FROM names WHERE name = ?`, func(r row) { id = r.int(0) }, name)
	if err == nil && !found {
		id, err = c.insert(`INSERT INTO names (name) VALUES (?)`, name)
	}
	if err != nil {
		return 0, err
	}
	if i.names == nil {
		i.names = make(map[string]int64)
	}
	i.names[name] = id
	return id, nil
}

func (i *ids) scope(c *conn, key event.RecordKey) (int64, error) {
	key.PlatformID = ""
	if id, ok := i.scopes[key]; ok {
		return id, nil
	}
	var id int64
	found, err := c.one(context.Background(),
		`SELECT id FROM scopes WHERE source = ? AND company_id = ? AND integration = ? AND model = ?`,
		func(r row) { id = r.int(0) }, key.Source, key.CompanyID, key.Integration, key.Model)
	if err == nil && !found {
		id, err = c.insert(`INSERT INTO scopes (source, company_id, integration, model) VALUES (?, ?, ?, ?)`,
			key.Source, key.CompanyID, key.Integration, key.Model)
	}
	if err != nil {
		return 0, err
	}
	if i.scopes == nil || len(i.scopes) >= maxScopes {
		i.scopes = make(map[event.RecordKey]int64)
	}
	i.scopes[key] = id
	return id, nil
}

// names remembers, for readers, what is committed in the names and scopes
// tables. Their rows are never changed or deleted.
type names struct {
	byID   sync.Map // int64 → string
	byName sync.Map // string → int64
	scopes sync.Map // int64 → event.RecordKey
}

// id is 0 for a name that nothing has used yet.
func (n *names) id(ctx context.Context, c *conn, name string) (int64, error) {
	if id, ok := n.byName.Load(name); ok {
		return id.(int64), nil
	}
	var id int64
	found, err := c.one(ctx, `SELECT id FROM names WHERE name = ?`, func(r row) { id = r.int(0) }, name)
	if err != nil || !found {
		return 0, err
	}
	n.byName.Store(name, id)
	return id, nil
}

func (n *names) name(ctx context.Context, c *conn, id int64) (string, error) {
	if name, ok := n.byID.Load(id); ok {
		return name.(string), nil
	}
	name, err := nameOf(ctx, c, id)
	if err == nil {
		n.byID.Store(id, name)
	}
	return name, err
}

// nameOf is for the writer, which may see what is not committed.
func nameOf(ctx context.Context, c *conn, id int64) (name string, err error) {
	found, err := c.one(ctx, `SELECT name FROM names WHERE id = ?`, func(r row) { name = r.text(0) }, id)
	if err == nil && !found {
		err = fmt.Errorf("name %d is missing: stop sluice and run sluice doctor", id)
	}
	return name, err
}

// key is the key of a record in the scope.
func (n *names) key(ctx context.Context, c *conn, scope int64, platformID string) (event.RecordKey, error) {
	v, ok := n.scopes.Load(scope)
	if !ok {
		found, err := c.one(ctx, `SELECT source, company_id, integration, model FROM scopes WHERE id = ?`,
			func(r row) {
				v = event.RecordKey{Source: r.text(0), CompanyID: r.text(1), Integration: r.text(2), Model: r.text(3)}
			}, scope)
		if err != nil {
			return event.RecordKey{}, err
		}
		if !found {
			return event.RecordKey{}, fmt.Errorf("scope %d is missing: stop sluice and run sluice doctor", scope)
		}
		n.scopes.Store(scope, v)
	}
	key := v.(event.RecordKey)
	key.PlatformID = platformID
	return key, nil
}
