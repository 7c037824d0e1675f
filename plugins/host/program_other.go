//go:build !linux

package host

func (p *program) openPath() string { return "" }
