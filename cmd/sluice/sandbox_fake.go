package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// serveFake serves a fake until the command is interrupted. banner tells people how
// to use it.
func serveFake(cmd *cobra.Command, listen string, fake http.Handler, banner func(base string) string) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	fmt.Fprint(cmd.OutOrStdout(), banner("http://"+listener.Addr().String()))
	server := &http.Server{Handler: fake, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}
