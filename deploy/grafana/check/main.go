// Holds dashboards against Grafana's own schema: the types that Grafana generates from it for its SDK.
// An unknown field, a wrong type or a value out of bounds is told with its place, and ends in 1.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func check(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var read dashboard.Dashboard
	if err := found(read.UnmarshalJSONStrict(raw)); err != nil {
		return err
	}
	return found(read.Validate())
}

// found returns an error that says something: where all is well the SDK may hand back an empty list of errors.
func found(err error) error {
	var listed cog.BuildErrors
	if errors.As(err, &listed) && len(listed) == 0 {
		return nil
	}
	return err
}

func main() {
	plugins.RegisterDefaultPlugins()
	status := 0
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			status = 1
		}
	}
	os.Exit(status)
}
