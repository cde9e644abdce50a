package window

import (
	"cmp"
	"runtime/debug"
	"slices"
)

// licence is a module that is part of the program.
type licence struct {
	Module  string `json:"module"`
	Version string `json:"version"`
	Licence string `json:"licence"` // SPDX expression; "" if it is not in the table
}

// licences are the modules that the program was built with, and Go's own library.
func licences() []licence {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return []licence{}
	}
	table := licenceTable()
	list := []licence{{"std", info.GoVersion, table["std"]}}
	for _, m := range info.Deps {
		list = append(list, licence{m.Path, m.Version, table[m.Path]})
	}
	slices.SortFunc(list, func(a, b licence) int { return cmp.Compare(a.Module, b.Module) })
	return list
}
