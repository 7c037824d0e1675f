//go:build slim

package embedded

import (
	"context"
	"errors"
)

// ErrLeftOut is what Start returns in a build without the embedded server.
var ErrLeftOut = errors.New("this build has no embedded Temporal: set temporal.address")

// Server is never made in this build.
type Server struct{}

// Start always fails with ErrLeftOut.
func Start(context.Context, Options) (*Server, error) { return nil, ErrLeftOut }

// Address is empty.
func (*Server) Address() string { return "" }

// UIURL is empty.
func (*Server) UIURL() string { return "" }

// Namespace is empty.
func (*Server) Namespace() string { return "" }

// Ready always fails with ErrLeftOut.
func (*Server) Ready(context.Context) error { return ErrLeftOut }

// Stop does nothing.
func (*Server) Stop(context.Context) error { return nil }
