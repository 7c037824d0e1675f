package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// usageError is a wrong use of the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }

// wrongUse returns a usageError that says where to read more.
func wrongUse(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{fmt.Errorf(format+" (see %s --help)", append(args, cmd.CommandPath())...)}
}

// group makes the command, and those below it that only hold others, print their
// help when they are called alone and refuse a word that is no sub-command.
func group(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		if sub.HasSubCommands() {
			group(sub)
		}
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownCommand(cmd, args[0])
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

func unknownCommand(cmd *cobra.Command, word string) error {
	name := strings.TrimPrefix(cmd.CommandPath()+" "+word, cmd.Root().Name()+" ")
	if close := cmd.SuggestionsFor(word); len(close) > 0 {
		return wrongUse(cmd, "unknown command %q: did you mean %s?", name, strings.Join(close, " or "))
	}
	return wrongUse(cmd, "unknown command %q", name)
}

// newHelpCommand is cobra's, but for a wrong name being an error.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return &usageError{err}
			}
			if len(rest) > 0 {
				return unknownCommand(about, rest[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// exactArgs is cobra.ExactArgs with an error that names what is missing.
func exactArgs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == n:
			return nil
		case len(args) > n:
			return wrongUse(cmd, "unexpected argument %q", args[n])
		default:
			return &usageError{errors.New("usage: " + cmd.UseLine())}
		}
	}
}
