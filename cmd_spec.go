package main

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"
)

func specCommand() *cli.Command { return &cli.Command{Name: "spec"} }


func rootfsSpec(c *cli.Context, dir string, args []string) (*specs.Spec, error) { return nil, nil }
