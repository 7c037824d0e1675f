package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sluicehq/sluice/config/packs"
)

// Pack is a ready-made mapping of several data models.
type Pack struct {
	Description string             `yaml:"description" doc:"What it makes of what." required:"true"`
	Models      map[string]Mapping `yaml:"models" doc:"The mapping of each data model." required:"true"`
	Views       []PackView         `yaml:"views" doc:"Views over the tables that the mapping makes; see package config/views."`
}

// PackView is a view over the tables of a pack and over the views above it.
type PackView struct {
	Name        string `yaml:"name" doc:"Name of the view." required:"true"`
	Description string `yaml:"description" doc:"What it shows." required:"true"`
	SQL         string `yaml:"sql" doc:"A SELECT in which names are written as {name}." required:"true"`
}

var readPacks = sync.OnceValues(func() (map[string]*Pack, error) {
	out := make(map[string]*Pack)
	for name, data := range packs.All() {
		p, err := parsePack(name, data)
		if err != nil {
			return nil, err
		}
		out[name] = p
	}
	return out, nil
})

func parsePack(name string, data []byte) (*Pack, error) {
	p := new(Pack)
	return p, Decode(name, data, p).Err()
}

// LoadPack returns a pack by its name, such as rootfi/hubspot.
func LoadPack(name string) (*Pack, error) {
	all, err := readPacks()
	if err != nil {
		return nil, err // a broken build: a test reads them all
	}
	p, ok := all[name]
	if !ok {
		return nil, fmt.Errorf("there is no pack %q; there are %s", name, strings.Join(Packs(), ", "))
	}
	return p, nil
}

// Packs lists the names of all packs.
func Packs() []string {
	all, _ := readPacks()
	return slices.Sorted(maps.Keys(all))
}
