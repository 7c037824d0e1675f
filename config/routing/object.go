package routing

// Object returns where the named route puts what it delivers, for a delivery
// that was booked earlier. ok is false when the route is gone.
func (t *Table) Object(route string, mode Mode, model string) (object string, ok bool) {
	for i := range t.routes {
		if t.routes[i].name == route {
			return t.routes[i].objectFor(mode, model), true
		}
	}
	return "", false
}
