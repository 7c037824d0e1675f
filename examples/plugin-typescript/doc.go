// Package plugintypescript tests the plugin in TypeScript as Sluice runs it: as a
// process. What the plugin does is in src; no Go code is part of it.
package plugintypescript
